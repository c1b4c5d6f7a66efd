//! The checks, each with the bound that it holds its figure to.

use flag_core::BUCKETS;

/// The probability, as its natural logarithm, with which a random function is beyond one side of a bound: ln 10⁻⁸.
const LN_CHANCE: f64 = -18.420_680_743_952_367;

/// Whether buckets, taken together by so many, are equally frequent.
pub(super) fn evenness(buckets: &[u32], together: u32) -> Result<(), String> {
    let cells = (BUCKETS / together) as usize;
    chi_square(cells, buckets.iter().map(|bucket| (bucket / together) as usize))
}

/// Whether the per cents that everybody has by two bucketings have nothing to do with one another: all 10,000 pairs of them
/// are equally frequent.
pub(super) fn independence(one: &[u32], other: &[u32]) -> Result<(), String> {
    let per_cent = |bucket: &u32| (bucket / 1_000) as usize;
    let pairs = one.iter().zip(other);
    chi_square(10_000, pairs.map(|(one, other)| per_cent(one) * 100 + per_cent(other)))
}

/// Whether so many cells are equally frequent, as far as chance would have it: neither less evenly nor more.
///
/// Pearson's χ² of a random function has the mean k and, with at least ten expected in each cell as here, nearly the
/// distribution of a sum of k = cells − 1 squares of normal variables. For that, Laurent and Massart ("Adaptive estimation of
/// a quadratic functional by model selection", Annals of Statistics 28, 2000, lemma 1) give, for each x > 0,
///
/// P(χ² ≥ k + 2√(kx) + 2x) ≤ e⁻ˣ and P(χ² ≤ k − 2√(kx)) ≤ e⁻ˣ.
///
/// With e⁻ˣ = 10⁻⁸ the two sides together have 2 × 10⁻⁸. (For 100,000 cells the upper bound is 6.1 standard deviations away,
/// where the normal distribution has 10⁻⁹ left: room enough for what the approximation neglects.)
fn chi_square(cells: usize, members: impl Iterator<Item = usize>) -> Result<(), String> {
    let mut counts = vec![0_u32; cells];
    let mut total = 0.0;
    for member in members {
        let count = counts.get_mut(member).ok_or_else(|| format!("there is no cell {member} of {cells}"))?;
        *count += 1;
        total += 1.0;
    }
    let expected = total / cells as f64;
    assert!(expected >= 10.0, "too few for {cells} cells");
    let chi_square: f64 = counts.iter().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum();

    let (k, x) = (cells as f64 - 1.0, -LN_CHANCE);
    let (least, most) = (k - 2.0 * (k * x).sqrt(), k + 2.0 * (k * x).sqrt() + 2.0 * x);
    if (least..=most).contains(&chi_square) {
        Ok(())
    } else {
        Err(format!("χ² of {cells} cells is {chi_square:.0}, not between {least:.0} and {most:.0}"))
    }
}

/// Whether each bit of the hash flips half of the time when any one bit of the input is flipped.
///
/// Each id is hashed with and without one flipped bit, each bit of a byte but the highest and each byte in turn. Of n ids in
/// which the same bit was flipped, a random function flips a given bit of the hash in n/2, and by Hoeffding's inequality it is
/// P(|flips − n/2| ≥ t) ≤ 2e^(−2t²/n). That is to be 2 × 10⁻⁸ for all pairs of an input bit and an output bit together, so for
/// each of m pairs 2 × 10⁻⁸ / m: t = √(n (ln m − ln 10⁻⁸) / 2).
pub(super) fn avalanche(ids: &[String], hash: impl Fn(&[u8]) -> u64) -> Result<(), String> {
    let bits = ids.iter().map(String::len).max().unwrap_or_default() * 7;
    let (mut tries, mut flips) = (vec![0_u32; bits], vec![[0_u32; 64]; bits]);
    for (turn, id) in ids.iter().enumerate() {
        let (bit, mut bytes) = (turn % (id.len() * 7), [0; 64]);
        bytes[..id.len()].copy_from_slice(id.as_bytes());
        let before = hash(&bytes[..id.len()]);
        bytes[bit / 7] ^= 1 << (bit % 7);
        let changed = before ^ hash(&bytes[..id.len()]);
        tries[bit] += 1;
        for (out, count) in flips[bit].iter_mut().enumerate() {
            *count += ((changed >> out) & 1) as u32;
        }
    }
    let pairs = (bits * 64) as f64;
    for (bit, (tries, flips)) in tries.iter().zip(&flips).enumerate() {
        let n = f64::from(*tries);
        let t = (n * (pairs.ln() - LN_CHANCE) / 2.0).sqrt();
        for (out, count) in flips.iter().enumerate() {
            if (f64::from(*count) - n / 2.0).abs() > t {
                return Err(format!("input bit {bit} flips output bit {out} in {count} of {tries}"));
            }
        }
    }
    Ok(())
}
