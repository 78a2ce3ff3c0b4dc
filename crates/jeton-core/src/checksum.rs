//! The checksum inside a secret: CRC-32 as ZIP and PNG have it, with the polynomial `0xEDB88320`.
//!
//! It is taken eight bytes at a step ("slicing by 8", Kounavis and Berry, 2005). What is called fast elsewhere is fast for
//! long texts and goes byte by byte over anything shorter than 64; for a secret that took three times as long.

/// What a byte does to the checksum, by how many others come after it in its step.
static TABLES: [[u32; 256]; 8] = tables();

/// The CRC-32 of a text.
pub(crate) fn crc32(text: &[u8]) -> u32 {
    let (steps, rest) = text.as_chunks::<8>();
    let state = steps.iter().fold(!0, |state: u32, step| {
        let [a, b, c, d] = state.to_le_bytes();
        let mixed = [a ^ step[0], b ^ step[1], c ^ step[2], d ^ step[3], step[4], step[5], step[6], step[7]];
        mixed.iter().zip(TABLES.iter().rev()).fold(0, |sum, (byte, table)| sum ^ table[usize::from(*byte)])
    });
    !rest.iter().fold(state, |state, byte| {
        let [low, ..] = state.to_le_bytes();
        state >> 8 ^ TABLES[0][usize::from(low ^ byte)]
    })
}

const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let (mut byte, mut state_of_byte) = (0, 0);
    while byte < 256 {
        let mut state = state_of_byte;
        let mut depth = 0;
        while depth < 8 {
            let mut bit = 0;
            while bit < 8 {
                state = if state & 1 == 1 { state >> 1 ^ 0xedb8_8320 } else { state >> 1 };
                bit += 1;
            }
            tables[depth][byte] = state;
            depth += 1;
        }
        byte += 1;
        state_of_byte += 1;
    }
    tables
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The check value of the catalogue of CRC algorithms, and others from Python's `zlib.crc32`.
    #[test]
    fn it_is_the_crc_that_everybody_has() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
        assert_eq!(crc32(b"jtn_pat_"), 0x263e_500e);
        assert_eq!(crc32(&[0xff; 64]), 0x0f61_87ba);
    }

    proptest! {
        #[test]
        fn steps_and_single_bytes_agree(text in proptest::collection::vec(any::<u8>(), 0..80)) {
            let state = text.iter().fold(!0_u32, |state, byte| (0..8).fold(state ^ u32::from(*byte), |state, _| {
                if state & 1 == 1 { state >> 1 ^ 0xedb8_8320 } else { state >> 1 }
            }));
            prop_assert_eq!(crc32(&text), !state);
        }
    }
}
