//! What the windows of one node may take, and what is left for others.

use crate::window::Window;

const MIB: u64 = 1024 * 1024;
const MAX: u64 = 4 * MIB;
const HALF: u64 = 256 * MIB;
const INITIAL: u64 = MAX / 32;

/// Has a window grow as far as it can; returns its size.
fn fill(window: &mut Window) -> u64 {
    let mut size = INITIAL;
    while let Some(grown) = window.pass(2 * MAX) {
        size = grown;
    }
    size
}

#[test]
fn one_node_takes_half_and_another_still_grows() {
    let mut greedy: Vec<_> = (0..1_000).map(|_| Window::new(1, MAX)).collect();
    let grown: u64 = greedy.iter_mut().map(|it| fill(it) - INITIAL).sum();
    assert!(grown <= HALF && grown > HALF - MAX, "{grown}");
    let mut other = Window::new(2, MAX);
    assert_eq!(fill(&mut other), MAX);
    assert_eq!(other.reserve(10 * MIB), Some(MAX + 10 * MIB));
    let left = HALF - grown;
    assert_eq!(
        greedy[999].reserve(10 * MAX),
        (left > 0).then_some(INITIAL + left)
    );
    drop(greedy);
    let mut again = Window::new(1, MAX);
    assert_eq!(fill(&mut again), MAX);
}

#[test]
fn a_reservation_replaces_the_one_before() {
    let mut window = Window::new(3, MAX);
    assert_eq!(window.reserve(MIB), Some(INITIAL + MIB));
    assert_eq!(window.reserve(MIB), None);
    assert_eq!(window.reserve(2 * HALF), Some(INITIAL + HALF));
    assert_eq!(window.reserve(0), Some(INITIAL));
}
