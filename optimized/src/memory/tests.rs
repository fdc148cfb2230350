//! What is streamed arrives, and nothing else is touched.

use super::*;
use half::bf16;

#[test]
fn an_array_arrives_whole_on_every_level_wherever_it_stands() {
    for level in crate::Backend::with("memory").into_iter().map(|on| on.level("memory").unwrap()) {
        for start in 0..20 {
            let (mut to, mut half) = ([-1.0f32; 64], [bf16::NEG_ONE; 64]);
            let head = Store::Stream.head(&to[start..]);
            assert!(head < 16 && to[start + head..].as_ptr().addr().is_multiple_of(64));
            let whole = to[start..].first_chunk_mut::<16>().unwrap();
            let x: [f32; 16] = core::array::from_fn(|i| i as f32);
            Store::Stream.put(level, whole, x);
            Store::Stream.put(level, half[start..].first_chunk_mut().unwrap(), x.map(bf16::from_f32));
            Store::Stream.finish();
            for i in 0..64 {
                let want = if (start..start + 16).contains(&i) { (i - start) as f32 } else { -1.0 };
                assert_eq!((to[i], half[i].to_f32()), (want, want), "{level:?}: {i} from {start}");
            }
        }
    }
}

#[test]
fn a_streamed_burst_arrives_whole_and_touches_nothing_else() {
    for start in 0..9 {
        for n in [0, 1, 3, 4, 5, 16, 33, 50] {
            let burst: Vec<f32> = (0..n).map(|i| i as f32 + 1.0).collect();
            let mut to = [-1.0; 64];
            Store::Stream.write(&mut to[start..start + n], &burst);
            Store::Stream.finish();
            assert_eq!(to[start..start + n], burst);
            assert!(to[..start].iter().chain(&to[start + n..]).all(|x| *x == -1.0));
            let burst: Vec<bf16> = burst.into_iter().map(bf16::from_f32).collect();
            let mut to = [bf16::NEG_ONE; 64];
            Store::Stream.write(&mut to[start..start + n], &burst);
            Store::Stream.finish();
            assert_eq!(to[start..start + n], burst);
            assert!(to[..start].iter().chain(&to[start + n..]).all(|x| *x == bf16::NEG_ONE));
        }
    }
}
