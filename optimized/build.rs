//! Compiles the CUDA kernels as C++ for their emulation on a CPU, where the feature `cuda-emulation` asks for it.
//!
//! Never fails: without a C++ compiler the backend is absent, and says so.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(kernels, emulated)");
    #[cfg(feature = "cuda-emulation")]
    let emulated = emulation::build()?;
    #[cfg(not(feature = "cuda-emulation"))]
    let emulated = false;
    if emulated {
        println!("cargo::rustc-cfg=emulated");
    }
    // Whether there is anything that may run a kernel.
    if emulated || cfg!(feature = "cuda") {
        println!("cargo::rustc-cfg=kernels");
    }
    Ok(())
}

#[cfg(feature = "cuda-emulation")]
#[allow(dead_code, unused_imports, unexpected_cfgs, reason = "the kernels want its constants alone")]
#[path = "src/lanes/mod.rs"]
mod lanes;

#[cfg(feature = "cuda-emulation")]
#[allow(dead_code, reason = "the text for nvcc is not wanted here")]
#[path = "src/cuda/prelude.rs"]
mod prelude;

#[cfg(feature = "cuda-emulation")]
mod emulation {
    use crate::prelude::{LANES_CUH, SOURCES, constants};
    use std::{env, error::Error, fs, path::Path};

    const FOLDER: &str = "src/cuda/emulation";

    /// Every kernel, those that are wrong on purpose, and the machine that runs them, as one file.
    fn text() -> Result<String, std::io::Error> {
        let mut text = format!("#include \"machine.cpp\"\n{}{LANES_CUH}", constants());
        for (stem, source) in SOURCES {
            text += &format!("namespace of_{stem} {{\n#line 1 \"{stem}/kernel.cu\"\n{source}}}\n");
        }
        let faults = fs::read_to_string(Path::new(FOLDER).join("faults.cu"))?;
        text += &format!("namespace faults {{\n#line 1 \"faults.cu\"\n{faults}}}\n");
        Ok(text)
    }

    /// Whether there is a C++ compiler, for a system that has what the fibers are made of.
    pub(crate) fn build() -> Result<bool, Box<dyn Error>> {
        println!("cargo::rerun-if-changed={FOLDER}");
        let file = Path::new(&env::var("OUT_DIR")?).join("kernels.cpp");
        fs::write(&file, text()?)?;
        let mut build = cc::Build::new();
        // Optimised in every profile, and each operation as it is written. There is no C++ runtime to link.
        build.cpp(true).cpp_link_stdlib(None).opt_level(2).file(&file).include(FOLDER).warnings(false);
        build.flag("-std=c++17").flag("-ffp-contract=off").flag("-fno-exceptions").flag("-fno-rtti");
        // The fibers jump between stacks, which a hardened longjmp takes for an attack.
        build.flag("-U_FORTIFY_SOURCE").flag("-fno-threadsafe-statics");
        if has_fma()? {
            build.flag("-mfma");
        }
        // Whether there is a compiler at all is asked with a file that every one takes; that ours does not compile is
        // then an error.
        let probe = file.with_file_name("probe.cpp");
        fs::write(&probe, "")?;
        let mut empty = cc::Build::new();
        empty.cpp(true).cpp_link_stdlib(None).cargo_warnings(false).cargo_metadata(false).file(probe);
        if env::var_os("CARGO_CFG_UNIX").is_none() || empty.try_compile("ppo_probe").is_err() {
            // A file that is never there: it is asked again at the next build.
            println!("cargo::rerun-if-changed={FOLDER}/a-compiler");
            return Ok(false);
        }
        build.try_compile("ppo_emulation")?;
        Ok(true)
    }

    /// Whether this machine has a fused multiply-add and runs what is built. Elsewhere each is a call of libm.
    fn has_fma() -> Result<bool, env::VarError> {
        #[cfg(target_arch = "x86_64")]
        let here = std::arch::is_x86_feature_detected!("fma");
        #[cfg(not(target_arch = "x86_64"))]
        let here = false;
        Ok(here && env::var("HOST")? == env::var("TARGET")?)
    }
}
