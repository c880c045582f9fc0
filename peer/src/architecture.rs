//! What architectures are called in images.

/// The architecture of that name, by which Rust or the kernel may know it, in the words of the OCI image specification,
/// which are those of Go.
pub(crate) fn in_images(name: &str) -> &str {
    match name {
        "x86_64" => "amd64",
        "x86" => "386",
        "aarch64" => "arm64",
        "loongarch64" => "loong64",
        other => other,
    }
}

/// This machine's.
pub(crate) fn of_this_machine() -> &'static str {
    match std::env::consts::ARCH {
        // The name says nothing of the order of bytes, which is the little one wherever containers run.
        "powerpc64" => "ppc64le",
        name => in_images(name),
    }
}
