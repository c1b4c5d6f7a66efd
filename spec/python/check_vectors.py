"""Holds flag_eval.py to every case of spec/vectors: prints what was checked, and ends with 1 if anything differs.

    python3 spec/python/check_vectors.py [FOLDER]
"""

import json
import pathlib
import sys

import flag_eval

MOST_SHOWN = 10


def u64(digits):
    assert len(digits) == 16
    return int(digits, 16)


def check_hash(case):
    digits, times, seed, expected = case
    return f"{flag_eval.xxh64(bytes.fromhex(digits) * times, u64(seed)):016x}", expected


def check_bucket(case):
    user, times, salt, *expected = case
    unit, seed = flag_eval.unit_of(user * times), flag_eval.seed_of(salt)
    hash_ = flag_eval.hash_of(unit, seed)
    bucket = flag_eval.bucket_of_hash(hash_)
    if flag_eval.bucket_by_halves(hash_) != bucket:
        return "the two ways to a bucket differ", expected
    return [f"{unit:016x}", f"{seed:016x}", f"{hash_:016x}", bucket], expected


def check_percentage(case):
    text, *expected = case
    try:
        return [flag_eval.read_percentage(text), None], expected
    except flag_eval.Refused as why:
        return [None, str(why)], expected


class CheckEvaluation:
    """Reads the snapshot of a file the way any reader does, from the text of the document."""

    def __init__(self, file):
        self.flags = flag_eval.read_snapshot(json.dumps(file["snapshot"]))

    def __call__(self, case):
        key, user, group, region, *expected = case
        return list(self.flags[key].evaluate(user, group, region)), expected


def check_document(case):
    _, document, expected = case
    try:
        flag_eval.read_snapshot(document)
        return True, expected
    except flag_eval.Refused:
        return False, expected


def run(name, check, cases):
    number = differences = 0
    for number, case in enumerate(cases, 1):
        found, expected = check(case)
        if found != expected:
            differences += 1
            if differences <= MOST_SHOWN:
                print(f"{name}: case {number}: {ascii(case)[:300]}\n  found    {found}\n  expected {expected}")
    print(f"{name}: {number} cases, {differences} differences")
    return number, differences


def main():
    beside = pathlib.Path(__file__).resolve().parent.parent / "vectors"
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else beside
    checks = {
        "hash": lambda file: check_hash,
        "bucket": lambda file: check_bucket,
        "percentage": lambda file: check_percentage,
        "documents": lambda file: check_document,
        "evaluation": CheckEvaluation,
        "salts": CheckEvaluation,
    }
    results = []
    for path in sorted(folder.glob("*.json")):
        if path.stem not in checks:
            sys.exit(f"{path.name}: there is no check for this file")
        file = json.loads(path.read_text(encoding="utf-8"))
        if (file["format"], file["algorithm"]) != (1, flag_eval.ALGORITHM):
            sys.exit(f"{path.name}: {file['algorithm']} in format {file['format']} is not understood")
        results.append(run(path.stem, checks.pop(path.stem)(file), file["cases"]))
    if checks:
        sys.exit(f"missing in {folder}: {', '.join(checks)}")
    cases, differences = (sum(numbers) for numbers in zip(*results))
    print(f"{cases} cases, {differences} differences")
    sys.exit(1 if differences else 0)


if __name__ == "__main__":
    main()
