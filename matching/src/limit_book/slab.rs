//! Owns slabs: things of one kind under small numbers, reused through a list of free ones.
//!
//! Never moves a thing: its number is good until it is given back.

/// A slab.
#[derive(Debug, Clone)]
pub(super) struct Slab<T> {
    things: Vec<T>,
    free: Vec<u32>,
}

impl<T: Clone> Slab<T> {
    /// Makes `count` things ready: their memory is written to once, so that no later use of one waits for the
    /// system to find a page for it.
    pub(super) fn new(count: usize, thing: &T) -> Self {
        let count = count.min(u32::MAX as usize - 1);
        Self {
            things: vec![thing.clone(); count],
            free: (0..count as u32).rev().collect(),
        }
    }

    /// Keeps a thing and returns its number; allocates where none is free.
    pub(super) fn add(&mut self, thing: T) -> u32 {
        self.add_with(|_| thing)
    }

    /// Keeps a thing that knows its number.
    pub(super) fn add_with(&mut self, make: impl FnOnce(u32) -> T) -> u32 {
        match self.free.pop() {
            Some(number) => {
                self.things[number as usize] = make(number);
                number
            }
            None => {
                let number = self.things.len() as u32;
                self.things.push(make(number));
                number
            }
        }
    }

    /// Gives a number back.
    pub(super) fn give_back(&mut self, number: u32) {
        self.free.push(number);
    }

    pub(super) fn get(&self, number: u32) -> &T {
        &self.things[number as usize]
    }

    pub(super) fn get_mut(&mut self, number: u32) -> &mut T {
        &mut self.things[number as usize]
    }

    /// Returns two different things at once.
    pub(super) fn two(&mut self, left: u32, right: u32) -> (&mut T, &mut T) {
        let (left, right) = (left as usize, right as usize);
        if left < right {
            let (low, high) = self.things.split_at_mut(right);
            (&mut low[left], &mut high[0])
        } else {
            let (low, high) = self.things.split_at_mut(left);
            (&mut high[0], &mut low[right])
        }
    }

    /// Tells whether every thing was given back.
    #[cfg(test)]
    pub(super) fn is_all_free(&self) -> bool {
        self.free.len() == self.things.len()
    }

    /// Returns the bytes that it occupies.
    pub(super) fn bytes(&self) -> usize {
        self.things.capacity() * size_of::<T>() + self.free.capacity() * size_of::<u32>()
    }
}
