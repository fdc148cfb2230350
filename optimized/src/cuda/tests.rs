//! What the machinery under the kernels refuses; and below, what is asked of a stream.

mod refused;
mod terms;
mod tree;

use super::prelude::{SOURCES, check_ptx, text, threads};

#[test]
fn every_kernel_of_every_source_says_its_threads() {
    for (stem, source) in SOURCES {
        let kernels: Vec<&str> =
            source.split("KERNEL(").skip(1).filter_map(|rest| rest.split(',').next()).collect();
        assert!(!kernels.is_empty(), "{stem} has no kernel");
        for kernel in kernels {
            let threads = threads(stem, kernel);
            assert!(
                threads.is_some_and(|n| n > 0 && n % 32 == 0 && n <= 1024),
                "{stem}/{kernel}: {threads:?}"
            );
        }
    }
    assert_eq!((threads("gae", "no_kernel"), threads("no_stem", "gae_rows")), (None, None));
}

/// A plain operator on floats may be fused, and a function of CUDA's library is not the contract's.
#[test]
fn every_operation_of_a_kernel_is_an_intrinsic_with_its_rounding() {
    for (stem, source) in SOURCES {
        let text = text(stem).unwrap();
        assert!(text.ends_with(source), "{stem}");
        for call in
            ["expf(", "logf(", "__expf", "__logf", "fmaf(", "sqrtf(", "rsqrt", "atomicAdd", "__fdividef"]
        {
            let own = text.matches(&format!("__{call}")).count();
            assert_eq!(text.matches(call).count(), own, "{stem}: {call}");
        }
    }
}

#[test]
fn ptx_with_another_operation_than_the_written_one_is_refused() {
    for line in [
        "add.f32 %f1, %f2, %f3;",
        "fma.rn.ftz.f32 %f1, %f2;",
        "ex2.approx.f32 %f1;",
        "mul.f32 %f1;",
        "add.f32x2 %rd1, %rd2, %rd3;",
        "fma.rn.ftz.f32x2 %rd1, %rd2;",
    ] {
        let said = check_ptx(&format!("fma.rn.f32 %f1, %f2, %f3, %f4;\n    {line}\n")).unwrap_err();
        assert_eq!(said, format!("not the operation that is written: `{line}`"));
    }
    let written =
        "add.rn.f32 %f1, %f2, %f3;\nmax.NaN.f32 %f1, %f2, %f3;\nadd.s32 %r1;\nfma.rn.f32x2 %rd1, %rd2;";
    assert_eq!(check_ptx(written), Ok(()));
}

/// Needs NVRTC and no GPU. Where `PPO_PTX` names a folder it writes there what ptxas is to judge (`.ci/run`), and NVRTC must
/// be there.
#[cfg(feature = "cuda")]
#[test]
fn every_kernel_is_ptx_of_the_written_operations_for_three_architectures() {
    let folder = std::env::var_os("PPO_PTX").map(std::path::PathBuf::from);
    for arch in ["compute_80", "compute_90", "compute_100"] {
        for (stem, _) in SOURCES {
            match super::nvidia::ptx(stem, arch) {
                Ok(ptx) => {
                    assert!(
                        ptx.contains(".rn.f32") || *stem == "each",
                        "{stem}, {arch}: no operation at all"
                    );
                    if let Some(folder) = &folder {
                        std::fs::create_dir_all(folder).unwrap();
                        std::fs::write(folder.join(format!("{stem}.{arch}.ptx")), ptx).unwrap();
                    }
                }
                Err(why) if why == "no NVRTC" && folder.is_none() => return eprintln!("absent: NVRTC"),
                Err(why) => panic!("{stem}, {arch}: {why}"),
            }
        }
    }
}

/// What a bundle carries to a machine without NVRTC.
#[cfg(feature = "cuda")]
#[test]
fn packed_ptx_is_that_of_the_newest_architecture_that_is_no_newer() {
    let folder = std::env::temp_dir().join(format!("ppo-packed-ptx-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for (name, text) in [
        ("kl.compute_80.ptx", "add.rn.f32 of 80;"),
        ("kl.compute_90.ptx", "add.rn.f32 of 90;"),
        ("kl.compute_100.ptx", "add.rn.f32 of 100;"),
        ("kl_loss.compute_90.ptx", "another"),
        ("gae.compute_80.ptx", "add.f32 without a rounding;"),
    ] {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let of = |stem, capability| super::nvidia::packed_ptx(&folder, stem, capability);
    assert_eq!(of("kl", 90).unwrap(), "add.rn.f32 of 90;");
    assert_eq!(of("kl", 89).unwrap(), "add.rn.f32 of 80;");
    assert_eq!(of("kl", 120).unwrap(), "add.rn.f32 of 100;");
    assert!(of("kl", 75).unwrap_err().ends_with("has no PTX of `kl` for compute_75"));
    assert!(of("gae", 90).unwrap_err().contains("not the operation that is written"));
    std::fs::remove_dir_all(folder).unwrap();
}

#[cfg(emulated)]
mod emulation {
    use crate::cuda::{Address, Buffer, Device, Kind, Plain, Stream};

    const EMULATION: Device = Device(Kind::Emulated);

    #[derive(Clone, Copy)]
    #[repr(C)]
    struct Fault {
        out: Address<f32>,
    }

    #[expect(unsafe_code, reason = "what crosses to a device is bytes")]
    // SAFETY: an address.
    unsafe impl Plain for Fault {}

    /// What a kernel of `emulation/faults.cu` leaves, or what is said of it.
    fn run(kernel: &'static str) -> Result<Vec<f32>, String> {
        let on = Stream::of_host(EMULATION);
        let out: Buffer<f32> = on.room(64).unwrap();
        let done = on.launch(("faults", kernel), 1, &Fault { out: out.address() });
        done.map(|()| out.read(&on).unwrap()).map_err(|err| err.to_string())
    }

    #[test]
    fn who_misses_a_meeting_ends_the_launch_with_a_sentence() {
        let says = |kernel| run(kernel).unwrap_err();
        for _ in 0..2 {
            assert_eq!(
                says("barrier_of_some"),
                "device: cuda-emulation: `faults/barrier_of_some`: block 0: thread 63 misses the barrier of line 8: it has \
                 ended"
            );
            assert_eq!(
                says("shuffle_of_some"),
                "device: cuda-emulation: `faults/shuffle_of_some`: block 0: thread 37 misses the warp operation of line 12: \
                 it has ended"
            );
            assert_eq!(
                says("two_shuffles"),
                "device: cuda-emulation: `faults/two_shuffles`: block 0: thread 7 misses the warp operation of line 18: it \
                 waits at line 17"
            );
            assert!(says("barrier_of_a_warp").contains("misses the barrier of line 23: it has ended"));
            assert!(says("much_shared").contains("line 32 asks for 49156 bytes of shared memory, of 49152"));
            assert!(says("no_such_kernel").ends_with("there is no such kernel"));
            // A launch that ended so leaves nothing behind.
            let reversed: Vec<f32> = (0..64).rev().map(|i| i as f32).collect();
            assert_eq!(run("with_barrier").unwrap(), reversed);
        }
    }

    #[test]
    fn a_value_that_is_read_before_its_barrier_is_missing_in_one_of_two_launches() {
        // Other tests launch too, so that two in a row need not have opposite orders.
        let missing = (0..64).map(|_| run("no_barrier").unwrap()).fold([false; 64], |mut missing, out| {
            missing.iter_mut().zip(out).for_each(|(missing, x)| *missing |= x.is_nan());
            missing
        });
        assert_eq!(missing, [true; 64]);
    }

    #[test]
    fn arguments_of_another_size_are_refused() {
        let said = Stream::of_host(EMULATION)
            .launch(("value_loss", "value_loss"), 1, &0u32)
            .unwrap_err()
            .to_string();
        assert!(said.contains("takes") && said.ends_with("was given 4 bytes"), "{said}");
    }
}
