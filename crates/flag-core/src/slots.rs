//! Slots: entries in one run of memory, found by their hash at first sight.
//!
//! Each entry has a home in proportion to the upper half of its hash, and lies there or, if that is taken, behind it; entries
//! are in the order of their hashes. So a look-up reads one place and rarely the next, whatever is not there is missed as
//! quickly as what is there is found, and the same entries lie in the same order however they came in. (This is linear
//! probing with the order of Amble and Knuth, "Ordered hash tables", The Computer Journal 17, 1974.)

use alloc::sync::Arc;
use alloc::vec::Vec;

/// The table. A clone shares everything until it is changed. Takes no memory of its own while it is empty. Places are aligned
/// as `A` is, which takes no room.
#[derive(Clone)]
pub(crate) struct Slots<T, A = ()> {
    places: Arc<[Place<T, A>]>,
    len: u32,
}

/// Where an entry may lie.
#[derive(Clone)]
pub(crate) struct Place<T, A> {
    hash: u64,
    entry: Option<T>,
    _alignment: [A; 0],
}

/// The alignment of places that fill a cache line each, so that looking at a place is looking at one line.
#[derive(Clone)]
#[repr(align(64))]
pub(crate) struct Line;

/// What the first look at a table shows.
pub(crate) enum Sight<'a, T> {
    /// The entry that was asked for.
    Found(&'a T),
    /// That there is none.
    Absent,
    /// Nothing: ids are long, or several have one hash.
    Unclear,
}

impl<T, A> Default for Slots<T, A> {
    fn default() -> Self {
        Self { places: Arc::default(), len: 0 }
    }
}

impl<T, A> Slots<T, A> {
    /// A table of `entries`, which are in the order of their hashes.
    pub(crate) fn of(entries: Vec<(u64, T)>) -> Self {
        if entries.is_empty() {
            return Self::default();
        }
        #[expect(clippy::cast_possible_truncation, reason = "as many entries would not fit into memory")]
        let len = entries.len() as u32;
        // Twice as many places as entries, so that most lie at home and all of a run in one cache line.
        let mut places = entries.len() * 2;
        // Where entries crowd at the end, more places give them more room behind the last home.
        while !fits(entries.iter().map(|(hash, _)| *hash), places) {
            places += places / 3 + 1;
        }
        let mut entries = entries.into_iter().peekable();
        let laid = (0..places).map(|at| match entries.next_if(|(hash, _)| home(*hash, places) <= at) {
            Some((hash, entry)) => Place { hash, entry: Some(entry), _alignment: [] },
            None => vacant(),
        });
        Self { places: laid.collect(), len }
    }

    /// Whether one is a clone of the other that has not been changed since.
    pub(crate) fn shares(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.places, &other.places)
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }

    /// The entry of this hash for which `is_it` holds. `is_shortly` may say no of it, but never yes of another: it is there to
    /// spare most callers the longer comparison.
    #[inline]
    pub(crate) fn get(
        &self,
        hash: u64,
        is_shortly: impl Fn(&T) -> bool,
        is_it: impl Fn(&T) -> bool,
    ) -> Option<&T> {
        match self.first_sight(hash, is_shortly) {
            Sight::Found(entry) => Some(entry),
            Sight::Absent => None,
            Sight::Unclear => self.search(hash, is_it),
        }
    }

    /// As [`get`](Self::get), as far as it goes without calling anything: whoever inlines this has to keep nothing for
    /// after a call.
    #[inline]
    pub(crate) fn first_sight(&self, hash: u64, is_shortly: impl Fn(&T) -> bool) -> Sight<'_, T> {
        let mut at = home(hash, self.places.len());
        while let Some(Place { hash: found, entry: Some(entry), .. }) = self.places.get(at) {
            if *found > hash {
                break;
            }
            if *found == hash {
                return if is_shortly(entry) { Sight::Found(entry) } else { Sight::Unclear };
            }
            at += 1;
        }
        Sight::Absent
    }

    #[inline(never)]
    fn search(&self, hash: u64, is_it: impl Fn(&T) -> bool) -> Option<&T> {
        self.places.get(self.place_of(hash, is_it)?)?.entry.as_ref()
    }

    /// Every entry with its hash, in the order of the hashes.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &T)> + Clone {
        self.places.iter().filter_map(|place| Some((place.hash, place.entry.as_ref()?)))
    }

    fn place_of<'a>(&'a self, hash: u64, is_it: impl Fn(&'a T) -> bool) -> Option<usize> {
        let start = home(hash, self.places.len());
        let run =
            self.places.get(start..)?.iter().take_while(|place| place.entry.is_some() && place.hash <= hash);
        let mut run = run.map(|place| place.hash == hash && place.entry.as_ref().is_some_and(&is_it));
        Some(start + run.position(|found| found)?)
    }
}

impl<T: Clone, A: Clone> Slots<T, A> {
    /// The entry that is the one asked for, to be changed.
    pub(crate) fn get_mut(&mut self, hash: u64, is_it: impl Fn(&T) -> bool) -> Option<&mut T> {
        let at = self.place_of(hash, is_it)?;
        Arc::make_mut(&mut self.places).get_mut(at)?.entry.as_mut()
    }

    /// Adds an entry, of which the table has none that is equal.
    pub(crate) fn insert(&mut self, hash: u64, entry: T) {
        let mut moving = Place { hash, entry: Some(entry), _alignment: [] };
        let is_roomy = self.len() * 8 < self.places.len() * 5;
        if is_roomy {
            let places = Arc::make_mut(&mut self.places);
            let start = home(hash, places.len());
            self.len += 1;
            for place in places.iter_mut().skip(start) {
                // What comes later in the order, and has no gap before it, makes room.
                if place.entry.is_none() || place.hash > moving.hash {
                    core::mem::swap(place, &mut moving);
                }
                if moving.entry.is_none() {
                    return;
                }
            }
        }
        // Too full, or crowded out at the end.
        if let Some(entry) = moving.entry {
            let mut entries = Vec::with_capacity(self.len() + 1);
            entries.extend(self.iter().map(|(hash, entry)| (hash, entry.clone())));
            let at = entries.partition_point(|(hash, _)| *hash <= moving.hash);
            entries.insert(at, (moving.hash, entry));
            *self = Self::of(entries);
        }
    }

    /// Removes the entry that is the one asked for.
    pub(crate) fn remove(&mut self, hash: u64, is_it: impl Fn(&T) -> bool) -> Option<T> {
        let at = self.place_of(hash, is_it)?;
        let places = Arc::make_mut(&mut self.places);
        let len = places.len();
        let gone = places.get_mut(at)?.entry.take();
        self.len -= 1;
        // Those behind it move up, as far as each one's home.
        for gap in at.. {
            match places.get_mut(gap..gap + 2) {
                Some([empty, next]) if next.entry.is_some() && home(next.hash, len) <= gap => {
                    core::mem::swap(empty, next);
                }
                _ => break,
            }
        }
        gone
    }
}

fn vacant<T, A>() -> Place<T, A> {
    Place { hash: 0, entry: None, _alignment: [] }
}

/// Whether entries of these hashes, which are in order, find room in so many places.
fn fits(hashes: impl Iterator<Item = u64>, places: usize) -> bool {
    hashes.fold(0, |next, hash| next.max(home(hash, places)) + 1) <= places
}

/// Where an entry of this hash wants to lie. The last sixteenth of the places is nobody's home: there lies what was crowded
/// out of the homes before it.
#[inline]
fn home(hash: u64, places: usize) -> usize {
    let homes = places - places / 16;
    (((hash >> 32) * homes as u64) >> 32) as usize
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;
    use alloc::format;
    use alloc::string::String;

    use super::*;

    fn listed(slots: &Slots<u32>) -> Vec<(u64, u32)> {
        slots.iter().map(|(hash, entry)| (hash, *entry)).collect()
    }

    /// An id for each entry, short or long.
    fn ids() -> Vec<String> {
        (0..1_024).map(|number| format!("{number:0>length$}", length = 4 + number % 20)).collect()
    }

    fn check(slots: &Slots<u32>, model: &BTreeMap<(u64, u32), ()>, ids: &[String]) {
        let get = |hash: u64, id: &str| {
            let id_of = |entry: &u32| ids[*entry as usize].as_str();
            slots.get(hash, |entry| id_of(entry) == id && id.len() <= 16, |entry| id_of(entry) == id)
        };
        let mut found = listed(slots);
        assert!(found.is_sorted_by_key(|(hash, _)| *hash), "{found:?}");
        found.sort_unstable();
        assert_eq!(found, model.keys().copied().collect::<Vec<_>>());
        assert_eq!(slots.len(), model.len());
        for (hash, entry) in model.keys() {
            let id = &ids[*entry as usize];
            assert_eq!(get(*hash, id), Some(entry));
            assert_eq!(get(*hash, "nobody"), None);
            assert_eq!(get(hash ^ (1 << 32), id), None);
        }
    }

    /// Hashes that crowd: many of few homes, at both ends, and many that are equal.
    fn hash(number: u64) -> u64 {
        let spread = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        match number % 5 {
            0 => spread,
            1 => u64::MAX - number % 3,
            2 => number % 3,
            3 => (1 << 63) | (number % 7),
            _ => spread & (0xFF << 56),
        }
    }

    #[test]
    fn slots_hold_what_a_map_holds_however_their_hashes_crowd() {
        let (mut slots, mut model, ids) = (Slots::default(), BTreeMap::new(), ids());
        for step in 0..4_000_u64 {
            let number = step.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 54;
            let (hash, entry) = (hash(number), number as u32);
            let before = slots.clone();
            let was_there = model.remove(&(hash, entry)).is_some();
            assert_eq!(slots.remove(hash, |other| *other == entry), was_there.then_some(entry));
            if !was_there {
                slots.insert(hash, entry);
                model.insert((hash, entry), ());
            }
            if step % 16 == 0 {
                check(&slots, &model, &ids);
                assert_eq!(before.len().abs_diff(slots.len()), 1, "a clone stays as it was");
            }
        }
    }

    #[test]
    fn the_same_entries_lie_in_the_same_order_however_they_came_in() {
        let numbers: Vec<u32> = (0..300).filter(|number| number % 5 == 0 || number % 5 == 4).collect();
        let (mut forwards, mut backwards) = (Slots::default(), Slots::default());
        for (one, other) in numbers.iter().zip(numbers.iter().rev()) {
            forwards.insert(hash((*one).into()), *one);
            backwards.insert(hash((*other).into()), *other);
        }
        let hashes = |slots: &Slots<u32>| listed(slots).into_iter().map(|(hash, _)| hash).collect::<Vec<_>>();
        assert_eq!(hashes(&forwards), hashes(&backwards));
    }

    #[test]
    fn an_entry_is_changed_in_the_table_alone_whose_entry_it_is() {
        let mut slots = Slots::default();
        slots.insert(7, 1);
        let before = slots.clone();
        *slots.get_mut(7, |entry| *entry == 1).unwrap() = 2;
        assert_eq!((listed(&before), listed(&slots)), (alloc::vec![(7, 1)], alloc::vec![(7, 2)]));
        assert!(slots.get_mut(8, |_| true).is_none());
    }

    /// So many entries whose hashes lie evenly over all there are, each numbered by its place among them.
    fn even(count: u64) -> Vec<(u64, u32)> {
        let step = u64::MAX / count + 1;
        (0..count).map(|number| (number * step, u32::try_from(number).unwrap())).collect()
    }

    #[test]
    fn a_table_has_twice_as_many_places_as_entries_and_each_lies_at_its_home() {
        let slots = Slots::<u32>::of(even(64));
        assert_eq!(slots.places.len(), 128);
        for (number, entry) in even(64) {
            let at = slots.places.iter().position(|place| place.entry == Some(entry)).unwrap();
            // The last sixteenth of 128 is nobody's home.
            assert_eq!(at, entry as usize * 120 / 64, "{number}");
        }
    }

    #[test]
    fn a_table_that_is_crowded_at_its_end_grows_by_a_third_until_all_fit() {
        let crowded = alloc::vec![(u64::MAX, 1), (u64::MAX, 2)];
        // 4, 6, 9, 13, 18: the first of which a sixteenth is a place.
        assert_eq!(Slots::<u32>::of(crowded).places.len(), 18);
    }

    #[test]
    fn a_table_with_room_takes_an_entry_in_place_and_a_full_one_is_laid_anew() {
        let mut slots = Slots::<u32>::of(even(64));
        for number in 0..16 {
            let before = slots.places.as_ptr();
            slots.insert((number << 60) + 1, 100);
            assert_eq!((slots.places.as_ptr(), slots.places.len()), (before, 128), "{number}");
        }
        // Five eighths of the places are taken.
        assert_eq!(slots.len(), 80);
        slots.insert(2, 100);
        assert_eq!(slots.places.len(), 162);
    }

    #[test]
    fn what_is_shared_is_left_to_the_other() {
        let mut slots = Slots::of(even(64));
        let before = slots.clone();
        slots.insert(1, 100);
        assert_eq!((before.len(), slots.len()), (64, 65));
        assert_eq!(slots.remove(1, |entry| *entry == 100), Some(100));
        assert_eq!(slots.remove(1, |entry| *entry == 100), None);
        assert_eq!(listed(&slots), even(64));
    }
}
