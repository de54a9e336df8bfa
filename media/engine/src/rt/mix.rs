//! Sums of many, less each one's own: the arithmetic of a conference, two passes for all instead of one for each.
//! In: each participant's samples. Out: the sum in 32 bits; the sum without one of them, saturated once.
//!
//! ```text
//! sum = Σ own          heard = saturate(sum − own)          2 N operations a sample in all
//! ```
//!
//! At most 2¹⁰ participants, each at most 2²⁰ loud (full scale times the greatest gain): a sum needs 31 bits.
//! Not here: who takes part (`bus.rs`).
//! RT: no allocation, lock, syscall, log or panic.

use crate::rt::gain::saturate;

/// Participants of which a sum fits into 32 bits.
pub(crate) const MOST: usize = 1 << 10;

/// Adds `own` to `sum`.
#[inline]
pub(crate) fn add<T: Copy + Into<i32>>(own: &[T], sum: &mut [i32]) {
    for (sum, own) in sum.iter_mut().zip(own) {
        *sum = sum.wrapping_add((*own).into());
    }
}

/// Writes `sum` without `own` to `out`.
#[inline]
pub(crate) fn without<T: Copy + Into<i32>>(own: &[T], sum: &[i32], out: &mut [i16]) {
    for ((out, sum), own) in out.iter_mut().zip(sum).zip(own) {
        *out = saturate(sum.wrapping_sub((*own).into()));
    }
}

/// Writes the whole `sum` to `out`: what one hears who says nothing.
#[inline]
pub(crate) fn whole(sum: &[i32], out: &mut [i16]) {
    for (out, sum) in out.iter_mut().zip(sum) {
        *out = saturate(*sum);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn n_minus_one_is_the_naive_sum_of_the_others(
            (said, loud) in (1usize..12, 0usize..70).prop_flat_map(|(people, samples)| (
                prop::collection::vec(prop::collection::vec(any::<i16>(), samples), people),
                prop::collection::vec(-(1i32 << 20)..=1 << 20, samples),
            )),
        ) {
            let mut sum = vec![0; loud.len()];
            said.iter().for_each(|own| add(own, &mut sum));
            add(&loud, &mut sum);
            let naive = |except: Option<usize>, with_loud: bool| -> Vec<i16> {
                (0..loud.len()).map(|at| {
                    let others = said.iter().enumerate().filter(|(n, _)| Some(*n) != except);
                    let total: i64 = others.map(|(_, own)| i64::from(own[at])).sum();
                    let total = total + if with_loud { i64::from(loud[at]) } else { 0 };
                    total.clamp(-32_768, 32_767) as i16
                }).collect()
            };
            let mut out = vec![0; loud.len()];
            for (n, own) in said.iter().enumerate() {
                without(own, &sum, &mut out);
                prop_assert_eq!(&out, &naive(Some(n), true));
            }
            without(&loud, &sum, &mut out);
            prop_assert_eq!(&out, &naive(None, false));
            whole(&sum, &mut out);
            prop_assert_eq!(&out, &naive(None, true));
        }
    }

    #[test]
    fn as_many_as_there_can_be_as_loud_as_they_can_be_do_not_overflow() {
        let mut sum = [0; 2];
        for _ in 0..MOST {
            add(&[32 * 32_767, -32 * 32_768], &mut sum);
        }
        assert_eq!(sum, [1_024 * 32 * 32_767, -1_024 * 32 * 32_768]);
        let mut out = [0; 2];
        without(&[32 * 32_767, -32 * 32_768], &sum, &mut out);
        assert_eq!(out, [i16::MAX, i16::MIN]);
    }
}
