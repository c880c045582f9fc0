//! Links that send what their bucket holds in one go.
//!
//! By itself HTB sends packet by packet on a busy link, each after an interrupt of a timer: tens of thousands a second
//! on the links of sixteen hosts, which is a good part of the processor time of everything that runs there. With
//! hysteresis it sends up to a bucket at once, and waits as much longer: the rate is the same. The kernel has one switch
//! for all of its HTB queues; it stands as before when this is dropped.

use std::fs;

const SWITCH: &str = "/sys/module/sch_htb/parameters/htb_hysteresis";

/// HTB with hysteresis for as long as this lives.
#[derive(Debug)]
pub(super) struct Bursts {
    before: String,
}

impl Bursts {
    /// Turns it on, once there is a queue; `None`, with a line about it, where that can't be done.
    pub(super) fn on() -> Option<Self> {
        let set = || {
            let before = fs::read_to_string(SWITCH)?;
            fs::write(SWITCH, "1").map(|()| before)
        };
        match set() {
            Ok(before) => Some(Self { before }),
            Err(error) => {
                eprintln!("lab: links send packet by packet, which costs processor time: {SWITCH}: {error}");
                None
            }
        }
    }
}

impl Drop for Bursts {
    fn drop(&mut self) {
        put_back(&self.before);
    }
}

/// Turns off what a lab that was killed left on.
pub(super) fn off() {
    put_back("0");
}

fn put_back(before: &str) {
    if let Err(error) = fs::write(SWITCH, before.trim()) {
        eprintln!("lab: {SWITCH} stays 1: {error}");
    }
}
