//! A leaf of a table of overrides: few enough pins to be copied in a few microseconds, and their ids in one run of text that
//! is only touched when a hash has matched.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::num::NonZeroU16;

use crate::slots::Slots;
use crate::table_hash::is_shortly_equal;
use crate::trie::Leaf;
use crate::variant::Variant;

/// Pins, each with the hash of its id.
#[derive(Clone, Default)]
pub(crate) struct Pins {
    slots: Slots<Pin>,
    /// The ids, in no order, and behind them what is not used yet.
    text: Arc<[u8]>,
    used: u32,
}

#[derive(Clone, Copy)]
struct Pin {
    /// Where the id begins in the leaf's text, in bytes.
    start: u32,
    /// How long it is; ids have 1 to 512 bytes.
    length: NonZeroU16,
    variant: Variant,
}

impl Pin {
    /// Where the id ends in the leaf's text, in bytes.
    fn end(&self) -> u32 {
        self.start + u32::from(self.length.get())
    }
}

impl Pins {
    const MOST_ENTRIES: usize = 896;
    /// Long ids split a leaf earlier, so that a change still copies little.
    const MOST_BYTES: u32 = 16 * 1024;

    /// A leaf of `pins`, each with the hash of its id and in the order of the hashes.
    fn of<'a>(pins: impl Iterator<Item = (u64, &'a str, Variant)> + Clone) -> Self {
        let mut text = Vec::with_capacity(pins.clone().map(|(_, subject, _)| subject.len()).sum());
        let entries = pins.filter_map(|(hash, subject, variant)| {
            let pin = Pin { start: narrow(text.len()), length: length(subject)?, variant };
            text.extend_from_slice(subject.as_bytes());
            Some((hash, pin))
        });
        let slots = Slots::of(entries.collect());
        Self { slots, used: narrow(text.len()), text: text.into() }
    }

    #[inline]
    pub(crate) fn get(&self, hash: u64, subject: &str) -> Option<Variant> {
        let id = subject.as_bytes();
        let is_shortly = |pin: &Pin| is_shortly_equal(self.id(pin), id);
        self.slots.get(hash, is_shortly, |pin| self.id(pin) == id).map(|pin| pin.variant)
    }

    /// Pins `subject`, and gives what it was pinned to before.
    pub(crate) fn set(&mut self, hash: u64, subject: &str, variant: Variant) -> Option<Variant> {
        let text = &self.text;
        if let Some(pin) = self.slots.get_mut(hash, |pin| id(text, pin) == subject.as_bytes()) {
            return Some(core::mem::replace(&mut pin.variant, variant));
        }
        let length = length(subject)?;
        let start = self.append(subject.as_bytes());
        self.slots.insert(hash, Pin { start, length, variant });
        None
    }

    /// Lets `subject` go, and gives what it was pinned to.
    pub(crate) fn remove(&mut self, hash: u64, subject: &str) -> Option<Variant> {
        let text = &self.text;
        let gone = self.slots.remove(hash, |pin| id(text, pin) == subject.as_bytes())?;
        // Laid anew, so that what is gone takes no room.
        *self = Self::of(self.iter().collect::<Vec<_>>().into_iter());
        Some(gone.variant)
    }

    /// How many pins there are.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Every pin: hash, id and variant, in an order that follows from the ids alone.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &str, Variant)> + Clone {
        self.slots.iter().map(|(hash, pin)| self.shown(hash, pin))
    }

    /// As `iter`, without those that `other` is seen to have as well by going through both in step: at least every pin that
    /// it does not have.
    pub(crate) fn iter_unlike<'a>(&'a self, other: &Self) -> impl Iterator<Item = (u64, &'a str, Variant)> {
        let alike = self.text_alike(other);
        let has_same_id = move |pin: &Pin, other_pin: &Pin| {
            let is_same_place = (pin.start, pin.length) == (other_pin.start, other_pin.length);
            (is_same_place && pin.end() <= alike) || self.id(pin) == other.id(other_pin)
        };
        let mut others = other.slots.iter().peekable();
        let unlike = self.slots.iter().filter(move |(hash, pin)| {
            while others.next_if(|(passed, _)| passed < hash).is_some() {}
            let is_same = |(found, other_pin): &(u64, &Pin)| {
                found == hash && pin.variant == other_pin.variant && has_same_id(pin, other_pin)
            };
            others.next_if(is_same).is_none()
        });
        unlike.map(|(hash, pin)| self.shown(hash, pin))
    }

    /// How far the text is the same as that of `other`, in bytes, or 0: one look at all ids that were there before a leaf was
    /// added to, instead of one at each.
    fn text_alike(&self, other: &Self) -> u32 {
        let both = self.used.min(other.used);
        let is_alike = Arc::ptr_eq(&self.text, &other.text)
            || self.text.get(..both as usize) == other.text.get(..both as usize);
        if is_alike { both } else { 0 }
    }

    fn shown(&self, hash: u64, pin: &Pin) -> (u64, &str, Variant) {
        // Only ever written from texts.
        (hash, core::str::from_utf8(self.id(pin)).unwrap_or_default(), pin.variant)
    }

    #[inline]
    fn id(&self, pin: &Pin) -> &[u8] {
        id(&self.text, pin)
    }

    /// Adds bytes to the text, and says where they begin.
    fn append(&mut self, bytes: &[u8]) -> u32 {
        let (start, end) = (self.used, self.used as usize + bytes.len());
        let room = Arc::get_mut(&mut self.text).and_then(|text| text.get_mut(start as usize..end));
        match room {
            Some(room) => room.copy_from_slice(bytes),
            None => {
                // A quarter more than is needed, so that not every pin copies the text.
                let mut grown = Vec::with_capacity(end + end / 4);
                grown.extend_from_slice(self.text.get(..start as usize).unwrap_or_default());
                grown.extend_from_slice(bytes);
                grown.resize(end + end / 4, 0);
                self.text = grown.into();
            }
        }
        self.used = narrow(end);
        start
    }
}

/// A length within a leaf's text, which has at most `MOST_BYTES` and one id.
fn narrow(length: usize) -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "it is far below 32 bits")]
    let narrow = length as u32;
    narrow
}

/// The length of an id, which is never empty and at most 512.
fn length(subject: &str) -> Option<NonZeroU16> {
    NonZeroU16::new(u16::try_from(subject.len()).ok()?)
}

#[inline]
fn id<'a>(text: &'a [u8], pin: &Pin) -> &'a [u8] {
    let start = pin.start as usize;
    text.get(start..start + usize::from(pin.length.get())).unwrap_or_default()
}

impl Leaf for Pins {
    const ROOT_BITS: u32 = 7;

    fn is_full(&self) -> bool {
        let len = self.slots.len();
        len >= Self::MOST_ENTRIES || (self.used >= Self::MOST_BYTES && len > 1)
    }

    fn split(&self, count: usize, choose: impl Fn(u64) -> usize) -> Vec<Self> {
        let mut parts = vec![Vec::new(); count];
        for pin in self.iter() {
            if let Some(part) = parts.get_mut(choose(pin.0)) {
                part.push(pin);
            }
        }
        parts.into_iter().map(|pins| Self::of(pins.into_iter())).collect()
    }

    fn shares(&self, other: &Self) -> bool {
        // Whoever changes a pin or adds one copies shared slots, whatever becomes of the text.
        self.slots.shares(&other.slots)
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;

    use super::*;

    fn of(ids: &[String]) -> Pins {
        let mut pins = Pins::default();
        for (hash, id) in (0..).zip(ids) {
            assert_eq!(pins.set(hash << 32, id, Variant::ON), None);
        }
        pins
    }

    fn numbered(count: usize, length: usize) -> Vec<String> {
        (0..count).map(|number| format!("{number:0>length$}")).collect()
    }

    #[test]
    fn a_leaf_is_full_at_its_limits_and_not_before() {
        let rows = [
            (895, 8, false),
            (896, 8, true),
            // 16 KiB of ids, and a byte less.
            (32, 512, true),
            (31, 512, false),
            // What a single id needs cannot be split.
            (1, 20_000, false),
            (2, 8_192, true),
            (2, 8_191, false),
        ];
        for (count, length, expected) in rows {
            assert_eq!(of(&numbered(count, length)).is_full(), expected, "{count} of {length}");
        }
    }

    #[test]
    fn what_is_let_go_takes_no_room() {
        let ids = numbered(10, 20);
        let mut pins = of(&ids);
        assert_eq!(pins.text.len(), 200);
        assert_eq!(pins.remove(3 << 32, &ids[3]), Some(Variant::ON));
        assert_eq!(pins.text.len(), 180);
        assert_eq!(pins.remove(3 << 32, &ids[3]), None);
        let left: Vec<&str> = pins.iter().map(|(_, id, _)| id).collect();
        assert_eq!(left, ids.iter().filter(|id| **id != ids[3]).collect::<Vec<_>>());
    }

    #[test]
    fn what_two_leaves_have_in_common_is_passed_over() {
        // A change, and what each of the two states shows of it.
        type Row<'a> = (&'a dyn Fn(&mut Pins), &'a [&'a str], &'a [&'a str]);
        let before = of(&numbered(40, 3));
        let shown = |pins: &Pins, other: &Pins| -> Vec<String> {
            pins.iter_unlike(other).map(|(_, id, _)| String::from(id)).collect()
        };
        let replace_last = |pins: &mut Pins| {
            pins.remove(39 << 32, "039");
            pins.set(39 << 32, "abc", Variant::ON);
        };
        let rows: [Row<'_>; 6] = [
            (&|_| (), &[], &[]),
            (&|pins| _ = pins.set(7 << 32, "007", Variant::OFF), &["007"], &["007"]),
            (&|pins| _ = pins.set(7 << 32 | 1, "more", Variant::ON), &["more"], &[]),
            (&|pins| _ = pins.remove(7 << 32, "007"), &[], &["007"]),
            (&|pins| _ = pins.set(7 << 32, "alike", Variant::ON), &["alike"], &[]),
            // In the same place, with the same hash.
            (&replace_last, &["abc"], &["039"]),
        ];
        for (change, in_after, in_before) in rows {
            let mut after = before.clone();
            change(&mut after);
            assert_eq!(shown(&after, &before), in_after);
            assert_eq!(shown(&before, &after), in_before);
        }
        assert_eq!(shown(&before, &Pins::default()).len(), 40);
    }

    #[test]
    fn ids_of_one_hash_are_told_apart_by_their_bytes() {
        let mut pins = Pins::default();
        pins.set(7, "one", Variant::ON);
        pins.set(7, "two", Variant::OFF);
        assert_eq!(pins.set(7, "one", Variant::OFF), Some(Variant::ON));
        let found = ["one", "two", "on", ""].map(|id| pins.get(7, id));
        assert_eq!(found, [Some(Variant::OFF), Some(Variant::OFF), None, None]);
        assert_eq!(pins.get(8, "one"), None);
    }

    #[test]
    fn each_part_of_a_split_leaf_holds_what_is_chosen_for_it() {
        let pins = of(&numbered(40, 3));
        let parts = pins.split(4, |hash| (hash >> 32) as usize % 4);
        assert_eq!(parts.len(), 4);
        for (number, part) in parts.iter().enumerate() {
            let found: Vec<u64> = part.iter().map(|(hash, ..)| hash >> 32).collect();
            let expected: Vec<u64> = (0..10).map(|step| step * 4 + number as u64).collect();
            assert_eq!(found, expected);
            assert_eq!(part.text.len(), 30);
        }
    }
}
