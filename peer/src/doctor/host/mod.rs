//! Disk, memory, kernel and limits of this host.

mod data_dir;
mod identity_kept;
mod identity_private;
mod inodes;
mod memory;
mod open_files;
mod room;
mod space;
mod tcp_buffers;

use super::Check;

pub(super) const CHECKS: &[Check] = &[
    data_dir::CHECK,
    space::CHECK,
    inodes::CHECK,
    identity_private::CHECK,
    identity_kept::CHECK,
    open_files::CHECK,
    memory::CHECK,
    tcp_buffers::CHECK,
];
