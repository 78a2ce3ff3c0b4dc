//! As much of HTTP/1.1 as the answers of servers on the same machine need: a status, a length, a body.

use crate::Fallible;

/// The head of an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    /// Where the body begins.
    pub(crate) body: usize,
    /// Where it ends; `None` if it comes in chunks.
    pub(crate) end: Option<usize>,
}

/// Reads a head from what has come so far; `None` if it is not whole yet.
pub(crate) fn head(bytes: &[u8]) -> Fallible<Option<Head>> {
    let Some(body) = bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4) else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&bytes[..body])?;
    let status =
        text.get(9..12).and_then(|digits| digits.parse().ok()).ok_or("an answer that is not HTTP")?;
    let field = |name: &str| {
        let lines = text.lines().filter_map(|line| line.split_once(':'));
        let mut values =
            lines.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim());
        values.next()
    };
    // RFC 9110, section 15.3.5: this one has no body, and does not say so.
    let stated = if status == 204 { Some("0") } else { field("content-length") };
    let length: Option<usize> = stated.map(str::parse).transpose()?;
    if length.is_none() && field("transfer-encoding") != Some("chunked") {
        return Err(format!("an answer without a length: {text}").into());
    }
    Ok(Some(Head { status, body, end: length.map(|length| body + length) }))
}

/// How a body in chunks ends. The chunks hold JSON, which has no line ends of its own.
pub(crate) const LAST_CHUNK: &[u8] = b"\r\n0\r\n\r\n";

/// The body that chunks make.
pub(crate) fn joined(chunks: &[u8]) -> Fallible<Vec<u8>> {
    let mut body = Vec::with_capacity(chunks.len());
    let mut rest = chunks;
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n").ok_or("a chunk without a length")?;
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..end])?, 16)?;
        if length == 0 {
            return Ok(body);
        }
        body.extend_from_slice(rest.get(end + 2..end + 2 + length).ok_or("a chunk that is cut off")?);
        rest = rest.get(end + 4 + length..).ok_or("a chunk without an end")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_once_it_is_whole() {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-type: a\r\nContent-Length: 2\r\n\r\n{}";
        assert_eq!(head(answer).unwrap(), Some(Head { status: 200, body: 55, end: Some(57) }));
        assert_eq!(head(&answer[..40]).unwrap(), None);
        assert!(head(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
        let empty = b"HTTP/1.1 204 No Content\r\nVary: Origin\r\n\r\n";
        assert_eq!(
            head(empty).unwrap(),
            Some(Head { status: 204, body: empty.len(), end: Some(empty.len()) })
        );
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(head(chunked).unwrap(), Some(Head { status: 200, body: chunked.len(), end: None }));
    }

    #[test]
    fn chunks_are_joined() {
        let chunks = b"2\r\n[1\r\n3\r\n,2]\r\n0\r\n\r\n";
        assert!(chunks.ends_with(LAST_CHUNK));
        assert_eq!(joined(chunks).unwrap(), b"[1,2]");
        assert!(joined(&chunks[..10]).is_err());
    }
}
