"""The algorithm xxh64-100k/1 in plain Python 3: hashing, buckets, percentages, the ladder and the snapshot document.

Written from docs/evaluation.md alone, so that the page and the implementation in Rust can be held against each other.
Nothing but the standard library is needed. It is meant to be read and compared, not to be fast.

    python3 flag_eval.py SNAPSHOT.json FLAG [--user ID] [--group ID] [--region ID]
    python3 flag_eval.py --stream < LINES

With --stream every line of the input is {"snapshot": DOCUMENT, "questions": [[flag, user, group, region], ...]}, and the
line of output for it is [[enabled, source] or null for an unknown flag, ...], or {"refused": MESSAGE}.
"""

import argparse
import json
import re
import sys

ALGORITHM = "xxh64-100k/1"
FORMAT = 1
BUCKETS = 100_000

# Hashing

MASK = (1 << 64) - 1
P1 = 0x9E3779B185EBCA87
P2 = 0xC2B2AE3D27D4EB4F
P3 = 0x165667B19E3779F9
P4 = 0x85EBCA77C2B2AE63
P5 = 0x27D4EB2F165667C5


def rotl(x, r):
    x &= MASK
    return ((x << r) | (x >> (64 - r))) & MASK


def round_(acc, lane):
    return (rotl(acc + lane * P2, 31) * P1) & MASK


def little_endian(data):
    return int.from_bytes(data, "little")


def xxh64(data, seed):
    n = len(data)
    at = 0
    if n >= 32:
        a = (seed + P1 + P2) & MASK
        b = (seed + P2) & MASK
        c = seed
        d = (seed - P1) & MASK
        while n - at >= 32:
            a = round_(a, little_endian(data[at:at + 8]))
            b = round_(b, little_endian(data[at + 8:at + 16]))
            c = round_(c, little_endian(data[at + 16:at + 24]))
            d = round_(d, little_endian(data[at + 24:at + 32]))
            at += 32
        h = (rotl(a, 1) + rotl(b, 7) + rotl(c, 12) + rotl(d, 18)) & MASK
        for x in (a, b, c, d):
            h = ((h ^ round_(0, x)) * P1 + P4) & MASK
    else:
        h = (seed + P5) & MASK
    h = (h + n) & MASK
    while n - at >= 8:
        h = (rotl(h ^ round_(0, little_endian(data[at:at + 8])), 27) * P1 + P4) & MASK
        at += 8
    if n - at >= 4:
        h = (rotl(h ^ (little_endian(data[at:at + 4]) * P1 & MASK), 23) * P2 + P3) & MASK
        at += 4
    while n - at >= 1:
        h = (rotl(h ^ (data[at] * P5 & MASK), 11) * P1) & MASK
        at += 1
    h = ((h ^ (h >> 33)) * P2) & MASK
    h = ((h ^ (h >> 29)) * P3) & MASK
    return h ^ (h >> 32)


# Buckets


def unit_of(user):
    return xxh64(user.encode("utf-8"), 0)


def seed_of(salt):
    return xxh64(salt.encode("utf-8"), 0)


def hash_of(unit, seed):
    return xxh64(unit.to_bytes(8, "little"), seed)


def bucket_of_hash(hash_):
    return (hash_ * BUCKETS) >> 64


def bucket_by_halves(hash_):
    """The same bucket by the way for machines without integers of 128 bits."""
    high, low = hash_ >> 32, hash_ & 0xFFFFFFFF
    return (high * BUCKETS + ((low * BUCKETS) >> 32)) >> 32


def bucket_of(user, salt):
    return bucket_of_hash(hash_of(unit_of(user), seed_of(salt)))


# Percentages


class Refused(Exception):
    """Why a value or a document was not taken."""


NUMBER = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?)([0-9]+))?")


def read_percentage(text):
    """The thousandths of one per cent that the text stands for."""
    parts = NUMBER.fullmatch(text)
    if parts is None:
        raise Refused("not_a_number")
    sign, whole, fraction, exponent_sign, exponent = parts.groups(default="")
    exponent = exponent.lstrip("0")
    exponent = 10**18 if len(exponent) > 18 else int(exponent or "0")
    if exponent_sign == "-":
        exponent = -exponent
    digits = whole + fraction
    point = len(whole) + exponent - (len(digits) - len(digits.lstrip("0")))
    digits = digits.strip("0")
    if not digits:
        return 0
    if sign or point > 3 or (point == 3 and digits != "1"):
        raise Refused("out_of_range")
    if len(digits) - point > 3:
        raise Refused("too_precise")
    return int(digits) * 10 ** (3 - len(digits) + point)


# Keys, ids and limits

KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
CONTROL_IN_DESCRIPTION = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def is_id(text):
    return 1 <= len(text.encode("utf-8")) <= 512 and not CONTROL.search(text)


def is_salt(text):
    return 1 <= len(text) <= 128 and not CONTROL.search(text)


def is_description(text):
    return len(text) <= 1_000 and not CONTROL_IN_DESCRIPTION.search(text)


# The snapshot document


class Number(str):
    """A JSON number as it was spelled."""


class Object(dict):
    """A JSON object that remembers whether a member stood there twice."""

    def __init__(self, pairs):
        super().__init__(pairs)
        names = [name for name, _ in pairs]
        self.twice = next((name for name in names if names.count(name) > 1), None) if len(self) < len(names) else None


def not_json(name):
    raise Refused(f"{name} is not JSON")


def parse_json(text):
    try:
        return json.loads(text, parse_int=Number, parse_float=Number, parse_constant=not_json, object_pairs_hook=Object)
    except (ValueError, RecursionError) as error:
        raise Refused(f"not JSON: {error}") from None


def members(value, where, required, optional=()):
    """Checks that the value is an object with these members and no others."""
    if not isinstance(value, Object):
        raise Refused(f"{where} must be an object")
    if value.twice is not None:
        raise Refused(f"{where} has {value.twice!r} twice")
    for name in value:
        if name not in required and name not in optional:
            raise Refused(f"{where} has the unknown member {name!r}")
    for name in required:
        if name not in value:
            raise Refused(f"{where} lacks {name!r}")
    return value


def text(value, where):
    if not isinstance(value, str) or isinstance(value, Number):
        raise Refused(f"{where} must be a string")
    if any("\ud800" <= c <= "\udfff" for c in value):
        raise Refused(f"{where} holds a lone surrogate")
    return value


def whole_number(value, where):
    if not isinstance(value, Number) or not re.fullmatch("[0-9]+", value) or len(value) > 20 or int(value) > MASK:
        raise Refused(f"{where} must be a whole number of at most 64 bits")
    return int(value)


def read_snapshot(document):
    """The flags of a document (text, or what parse_json made of it), by key."""
    if isinstance(document, str):
        document = parse_json(document)
    if isinstance(document, Object):
        if "format" in document and document["format"] != str(FORMAT):
            raise Refused(f"format {document['format']} is not {FORMAT}")
        if "algorithm" in document and document["algorithm"] != ALGORITHM:
            raise Refused(f"algorithm {document['algorithm']!r} is not {ALGORITHM!r}")
    members(document, "the document", ("format", "algorithm", "epoch", "revision", "flags"))
    whole_number(document["format"], "format")
    if not re.fullmatch("[0-9a-fA-F]{32}", text(document["epoch"], "epoch")):
        raise Refused("epoch must be 32 hexadecimal digits")
    whole_number(document["revision"], "revision")
    if not isinstance(document["flags"], list):
        raise Refused("flags must be an array")
    flags = {}
    for entry in document["flags"]:
        members(entry, "an entry of flags", ("flag", "overrides"))
        flag = Flag(entry["flag"], entry["overrides"])
        if flag.key in flags:
            raise Refused(f"the flag {flag.key!r} stands twice")
        flags[flag.key] = flag
    return flags


class Flag:
    """A flag as the ladder sees it."""

    def __init__(self, flag, overrides):
        required = ("key", "enabled", "salt", "revision", "createdAt", "updatedAt")
        members(flag, "a flag", required, ("description", "rolloutPct"))
        self.key = text(flag["key"], "key")
        if not KEY.fullmatch(self.key):
            raise Refused(f"{self.key!r} is no key")
        if flag.get("description") is not None and not is_description(text(flag["description"], "description")):
            raise Refused(f"the description of {self.key!r} breaks its limits")
        if not isinstance(flag["enabled"], bool):
            raise Refused("enabled must be true or false")
        self.enabled = flag["enabled"]
        self.rollout = None
        if flag.get("rolloutPct") is not None:
            if not isinstance(flag["rolloutPct"], Number):
                raise Refused("rolloutPct must be a number")
            self.rollout = read_percentage(flag["rolloutPct"])
        self.salt = text(flag["salt"], "salt")
        if not is_salt(self.salt):
            raise Refused(f"the salt of {self.key!r} breaks its limits")
        whole_number(flag["revision"], "revision")
        for name in ("createdAt", "updatedAt"):
            if not INSTANT.fullmatch(text(flag[name], name)):
                raise Refused(f"{name} must be an instant as of RFC 3339")
        self.pins = {level: read_level(level, overrides) for level in ("user", "group", "region")}

    def evaluate(self, user=None, group=None, region=None):
        """Whether the flag is on for this context, and the source of the answer. None and "" are absent."""
        rungs = (("user", user, "USER_OVERRIDE"), ("group", group, "GROUP_OVERRIDE"), ("region", region, "REGION_OVERRIDE"))
        for level, subject, source in rungs:
            if subject and subject in self.pins[level]:
                return self.pins[level][subject], source
        if self.rollout is not None and user:
            return bucket_of(user, self.salt) < self.rollout, "PERCENTAGE_ROLLOUT"
        return self.enabled, "GLOBAL_DEFAULT"


def read_level(level, overrides):
    members(overrides, "overrides", (), ("user", "group", "region"))
    variants = members(overrides.get(level, Object([])), level, (), ("on", "off"))
    pins = {}
    for variant, enabled in (("on", True), ("off", False)):
        ids = variants.get(variant, [])
        if not isinstance(ids, list):
            raise Refused(f"{level}.{variant} must be an array")
        for pinned in ids:
            if not is_id(text(pinned, "an id")):
                raise Refused(f"{pinned!r} breaks the limits of an id")
            if pinned in pins:
                raise Refused(f"the {level} {pinned!r} stands twice")
            pins[pinned] = enabled
    return pins


# The command line


def answer_stream(lines, out):
    for line in lines:
        try:
            task = parse_json(line)
            flags = read_snapshot(task["snapshot"])
            answers = [flags[key].evaluate(*context) if key in flags else None for key, *context in task["questions"]]
            print(json.dumps(answers), file=out)
        except Refused as why:
            print(json.dumps({"refused": str(why)}), file=out)


def main():
    parser = argparse.ArgumentParser(description="Evaluates a flag of a snapshot document.")
    parser.add_argument("--stream", action="store_true", help="answer snapshots and questions from standard input, by line")
    parser.add_argument("snapshot", nargs="?", help="a file with a snapshot document")
    parser.add_argument("flag", nargs="?", help="the flag's key")
    for level in ("user", "group", "region"):
        parser.add_argument(f"--{level}", help=f"the {level} of the context")
    arguments = parser.parse_args()
    if arguments.stream:
        sys.stdin.reconfigure(encoding="utf-8")
        answer_stream(sys.stdin, sys.stdout)
        return
    if arguments.flag is None:
        parser.error("a snapshot and a flag are needed")
    with open(arguments.snapshot, encoding="utf-8") as file:
        try:
            flags = read_snapshot(file.read())
        except Refused as why:
            sys.exit(f"refused: {why}")
    if arguments.flag not in flags:
        sys.exit(f"no such flag: {arguments.flag}")
    enabled, source = flags[arguments.flag].evaluate(arguments.user, arguments.group, arguments.region)
    print(json.dumps({"key": arguments.flag, "enabled": enabled, "source": source}))


if __name__ == "__main__":
    main()
