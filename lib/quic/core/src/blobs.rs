//! Lists of byte strings as they cross the border: each a 32-bit little-endian length, then bytes.

/// The strings of `list`. A length past the end takes what is there: the host writes the lists.
pub fn read(mut list: &[u8]) -> Vec<&[u8]> {
    let mut blobs = Vec::new();
    while let Some((len, rest)) = list.split_first_chunk::<4>() {
        let (blob, rest) = rest.split_at((u32::from_le_bytes(*len) as usize).min(rest.len()));
        blobs.push(blob);
        list = rest;
    }
    blobs
}

pub fn write<'a>(blobs: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut list = Vec::new();
    for blob in blobs {
        list.extend_from_slice(&(blob.len() as u32).to_le_bytes());
        list.extend_from_slice(blob);
    }
    list
}
