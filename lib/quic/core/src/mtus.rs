//! What the paths to remotes take, as far as connections have found out.

use std::collections::HashMap;

use crate::options::SMALLEST_MTU;

/// Beyond this many the table begins anew; a connection looks for its path's MTU by itself then.
const MOST_REMOTES: usize = 1024;

/// Sizes of datagrams, by remote. A path that has become narrower since is noticed by the connection:
/// it sends what is lost again in small datagrams.
#[derive(Default)]
pub struct Mtus(HashMap<u64, u16>);

impl Mtus {
    pub fn get(&self, remote: u64) -> u16 {
        self.0.get(&remote).copied().unwrap_or(SMALLEST_MTU)
    }

    pub fn set(&mut self, remote: u64, mtu: u16) {
        if self.get(remote) == mtu {
            return;
        }
        if self.0.len() >= MOST_REMOTES {
            self.0.clear();
        }
        self.0.insert(remote, mtu);
    }
}
