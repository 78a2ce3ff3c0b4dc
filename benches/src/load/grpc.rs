//! As much of HTTP/2 and protobuf as asking Envoy's question takes: one stream after the other on each connection, every
//! header sent in full, nothing compressed. A client of a library would cost the load several times as much.

/// How a connection begins: the preface, no settings of ours, and leave to send as much as there ever is.
pub(super) const GREETING: &[u8] =
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\x04\x08\0\0\0\0\0\x7f\xfe\0\0";

/// Of a frame: three bytes of length, its kind, its flags, four of the stream's number.
const HEAD: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
/// Of settings and pings: an answer to one.
const ACK: u8 = 1;
/// Of headers and data: the last of its stream.
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// What Envoy says of a plain request besides its secret, as headers.
const PLAIN: [(&str, &str); 8] = [
    (":authority", "localhost"),
    (":method", "GET"),
    (":path", "/a/b"),
    (":scheme", "http"),
    ("accept", "*/*"),
    ("user-agent", "curl/8.5.0"),
    ("x-forwarded-proto", "http"),
    ("x-request-id", "5c6b2a1e-93d4-4c7b-8f5e-2d1a7b9c4e60"),
];

/// Envoy's question about a request with this secret: `CheckRequest` with method, path and headers.
pub(crate) fn check_question(secret: &str) -> Vec<u8> {
    let bearer = format!("Bearer {secret}");
    let headers = PLAIN.into_iter().chain([("authorization", bearer.as_str())]);
    let header = |(name, value): (&str, &str)| {
        field(3, &[field(1, name.as_bytes()), field(2, value.as_bytes())].concat())
    };
    let headers: Vec<u8> = headers.flat_map(header).collect();
    let http = [field(2, b"GET"), headers, field(4, b"/a/b")].concat();
    field(1, &field(4, &field(2, &http)))
}

/// A member of a protobuf message, of a kind with a length.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    let mut length = content.len();
    while length >= 128 {
        bytes.push((length & 127) as u8 | 128);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend_from_slice(content);
    bytes
}

/// A question as it is sent: headers, and the message with its own five bytes before it. [`Streams::numbered`] gives it
/// its stream.
pub(crate) fn frames(authority: &str, message: &[u8]) -> Vec<u8> {
    // The method POST and the scheme http have numbers of their own, and so have the names of path and authority.
    let mut fields = vec![0x83, 0x86];
    literal(&mut fields, 0x04, None, "/envoy.service.auth.v3.Authorization/Check");
    literal(&mut fields, 0x01, None, authority);
    literal(&mut fields, 0x00, Some("content-type"), "application/grpc");
    literal(&mut fields, 0x00, Some("te"), "trailers");
    let length = u32::try_from(message.len()).expect("a question is short").to_be_bytes();
    let data = [&[0], &length[..], message].concat();
    [frame(HEADERS, END_HEADERS, &fields), frame(DATA, END_STREAM, &data)].concat()
}

fn literal(fields: &mut Vec<u8>, kind: u8, name: Option<&str>, value: &str) {
    fields.push(kind);
    for text in name.into_iter().chain([value]) {
        fields.push(u8::try_from(text.len()).ok().filter(|length| *length < 127).expect("headers are short"));
        fields.extend_from_slice(text.as_bytes());
    }
}

fn frame(kind: u8, flags: u8, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).expect("a frame is short").to_be_bytes();
    [&length[1..], &[kind, flags, 0, 0, 0, 0], content].concat()
}

/// The streams of a connection, one at a time.
#[derive(Default)]
pub(super) struct Streams {
    begun: u32,
    allowed: Option<bool>,
    sent: Vec<u8>,
}

impl Streams {
    /// The frames of a question on a stream of their own.
    pub(super) fn numbered(&mut self, frames: &[u8]) -> &[u8] {
        // Streams of a client have odd numbers.
        let number = (self.begun * 2 + 1).to_be_bytes();
        self.begun += 1;
        self.allowed = None;
        self.sent.clear();
        self.sent.extend_from_slice(frames);
        let mut at = 0;
        while at < self.sent.len() {
            self.sent[at + 5..at + HEAD].copy_from_slice(&number);
            at += HEAD + length(&self.sent[at..]);
        }
        &self.sent
    }

    /// Takes the whole frames out of a buffer. The status once an answer is whole, in the words of HTTP; and what is to be
    /// said to the server.
    pub(super) fn take(&mut self, buffer: &mut [u8], filled: &mut usize) -> (Option<u16>, Vec<u8>) {
        let (mut at, mut status, mut reply) = (0, None, Vec::new());
        while *filled - at >= HEAD && *filled - at >= HEAD + length(&buffer[at..]) {
            let end = at + HEAD + length(&buffer[at..]);
            let (kind, flags, content) = (buffer[at + 3], buffer[at + 4], &buffer[at + HEAD..end]);
            match kind {
                SETTINGS if flags & ACK == 0 => reply.extend(frame(SETTINGS, ACK, &[])),
                PING if flags & ACK == 0 => reply.extend(frame(PING, ACK, content)),
                // Five bytes of gRPC, then `CheckResponse`.
                DATA if content.len() > 5 => self.allowed = Some(has_member(&content[5..], 3)),
                RESET | GOAWAY => status = Some(500),
                _ => {}
            }
            if matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0 {
                status = Some(match self.allowed {
                    Some(true) => 200,
                    Some(false) => 401,
                    None => 500,
                });
            }
            at = end;
        }
        buffer.copy_within(at..*filled, 0);
        *filled -= at;
        (status, reply)
    }
}

fn length(frame: &[u8]) -> usize {
    usize::from(frame[0]) << 16 | usize::from(frame[1]) << 8 | usize::from(frame[2])
}

/// Whether a protobuf message, all of whose members have a length, has this one: `ok_response` is the third of an answer.
fn has_member(message: &[u8], number: u8) -> bool {
    let mut rest = message;
    while let [tag, after @ ..] = rest {
        if *tag == number << 3 | 2 {
            return true;
        }
        let mut size = 0;
        let mut read = 0;
        for byte in after {
            size |= usize::from(byte & 127) << (7 * read);
            read += 1;
            if byte & 128 == 0 {
                break;
            }
        }
        rest = after.get(read + size..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_put_into_frames_of_one_stream() {
        let question = check_question("secret");
        let frames = frames("localhost", &question);
        let mut streams = Streams::default();
        streams.numbered(&frames);
        let sent = streams.numbered(&frames).to_vec();
        let second = HEAD + length(&sent);
        assert_eq!((sent[3], sent[second + 3]), (HEADERS, DATA));
        assert_eq!((&sent[5..9], &sent[second + 5..second + 9]), (&[0, 0, 0, 3][..], &[0, 0, 0, 3][..]));
        assert_eq!(sent.len(), second + HEAD + length(&sent[second..]));
        assert_eq!(&sent[second + HEAD + 5..], question);
    }

    #[test]
    fn an_answer_is_whole_at_the_end_of_its_stream() {
        let mut streams = Streams::default();
        let message = [field(1, b""), field(3, b"x")].concat();
        let data = [&[0, 0, 0, 0, 5], &message[..]].concat();
        let said =
            [frame(SETTINGS, 0, &[]), frame(HEADERS, END_HEADERS, b"h"), frame(DATA, 0, &data)].concat();
        let trailers = frame(HEADERS, END_HEADERS | END_STREAM, b"t");
        let mut buffer = [&said[..], &trailers[..]].concat();
        let mut filled = said.len() + 3;
        let (status, reply) = streams.take(&mut buffer, &mut filled);
        assert_eq!((status, reply, filled), (None, frame(SETTINGS, ACK, &[]), 3));
        buffer[..trailers.len()].copy_from_slice(&trailers);
        filled = trailers.len();
        assert_eq!(streams.take(&mut buffer, &mut filled), (Some(200), Vec::new()));
        assert_eq!(filled, 0);
    }
}
