//! Cutting the text of a resource into its parts (section 4.1).
//!
//! A specifier in a policy and a concrete resource are written alike, so both are cut here; only a specifier may have
//! patterns in its parts, and that is decided by those who ask. Nothing is copied: the parts borrow from the text.
//!
//! One thing is harder than the grammar looks. A colon separates segments, but it also stands inside `{property:value}`
//! and inside `view:KEY`. Inside braces it never separates. Behind a semicolon it separates only if a new segment
//! follows, that is if a slash comes before the next delimiter: keys have no slash, and every inner segment has one.

use super::kind::{Kind, MAX_DEPTH, NAMELESS};

/// One segment without its label, as written. The account has an empty name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Segment<'a> {
    pub(super) name: &'a str,
    /// What follows the semicolon. It is cut only when asked for, because cutting it early would need a list.
    pub(super) qualifiers: &'a str,
}

/// A condition on a segment, as written. On a concrete resource it is a fact instead.
#[derive(Clone, Copy)]
pub(super) enum Qualifier<'a> {
    Tag(&'a str),
    /// `{property:value}`, with its braces.
    Property(&'a str),
    /// `view:KEY`: membership in a grouping that this server doesn't keep. Here is its key.
    View(&'a str),
}

/// Cuts a whole text. Of the segments, as many are filled as the kind has labels.
///
/// None if the text isn't of the grammar or names an unknown kind.
pub(super) fn read(text: &str) -> Option<(Kind, [Segment<'_>; MAX_DEPTH])> {
    let mut labels = [""; MAX_DEPTH];
    let mut segments = [Segment::default(); MAX_DEPTH];
    let mut depth = 0;
    let mut rest = Some(text);
    while let Some(text) = rest {
        let (segment, behind) = split_segment(text);
        (*labels.get_mut(depth)?, segments[depth]) = read_segment(segment)?;
        depth += 1;
        rest = behind;
    }
    Some((Kind::find(&labels[..depth])?, segments))
}

/// Whether a text can be a key, an id or a tag: not empty, and without white space or a sign of the grammar.
///
/// Such a sign would be a mistake that nobody notices, because no key has it and so the specifier could never match.
pub(super) fn is_word(text: &str) -> bool {
    !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control() || "/:;{}$".contains(c))
}

impl<'a> Segment<'a> {
    /// The qualifiers one by one; None in place of one that isn't of the grammar.
    pub(super) fn qualifiers(self) -> impl Iterator<Item = Option<Qualifier<'a>>> {
        let mut in_braces = false;
        let is_separator = move |c: char| {
            in_braces = c == '{' || in_braces && c != '}';
            c == ',' && !in_braces
        };
        let given = !self.qualifiers.is_empty();
        given.then(|| self.qualifiers.split(is_separator).map(Qualifier::read)).into_iter().flatten()
    }
}

impl<'a> Qualifier<'a> {
    fn read(text: &'a str) -> Option<Self> {
        if let Some(inside) = text.strip_prefix('{') {
            let (property, value) = inside.strip_suffix('}')?.split_once(':')?;
            return (is_word(property) && is_word(value)).then_some(Self::Property(text));
        }
        match text.strip_prefix("view:") {
            Some(key) => (!key.is_empty()).then_some(Self::View(key)),
            None => (!text.is_empty()).then_some(Self::Tag(text)),
        }
    }
}

/// The first segment, and what follows its colon if there is one.
fn split_segment(text: &str) -> (&str, Option<&str>) {
    let mut in_braces = false;
    let mut qualified = false;
    for (at, c) in text.char_indices() {
        match c {
            '{' => in_braces = true,
            '}' => in_braces = false,
            ';' => qualified = true,
            ':' if !in_braces => {
                let behind = &text[at + 1..];
                if !qualified || begins_segment(behind) {
                    return (&text[..at], Some(behind));
                }
            }
            _ => {}
        }
    }
    (text, None)
}

fn begins_segment(text: &str) -> bool {
    text.split([':', ';', ',', '{', '}']).next().is_some_and(|start| start.contains('/'))
}

/// The label and the rest of one segment. A slash before the label is dropped: a published example has one.
fn read_segment(text: &str) -> Option<(&str, Segment<'_>)> {
    let text = text.strip_prefix('/').unwrap_or(text);
    let (head, qualifiers) = match text.split_once(';') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (text, ""),
    };
    let (label, name) = match head.split_once('/') {
        Some((label, name)) if label != NAMELESS && !name.is_empty() => (label, name),
        None if head == NAMELESS => (head, ""),
        _ => return None,
    };
    Some((label, Segment { name, qualifiers }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every segment as `label|name|qualifiers`.
    fn cut(text: &str) -> Option<Vec<String>> {
        let (kind, segments) = read(text)?;
        let parts = kind.labels().zip(segments);
        Some(parts.map(|(label, it)| format!("{label}|{}|{}", it.name, it.qualifiers)).collect())
    }

    #[test]
    fn a_chain_is_cut_at_the_right_colons() {
        let table: [(&str, &[&str]); 8] = [
            ("acct", &["acct||"]),
            ("member/m:token/*", &["member|m|", "token|*|"]),
            ("proj/a,b:metric/x", &["proj|a,b|", "metric|x|"]),
            ("proj/a:env/b;{critical:true}:flag/c", &["proj|a|", "env|b|{critical:true}", "flag|c|"]),
            ("proj/a:env/b;view:k:flag/c;view:k,t", &["proj|a|", "env|b|view:k", "flag|c|view:k,t"]),
            ("proj/a:env/b;t:/flag/c", &["proj|a|", "env|b|t", "flag|c|"]),
            ("proj/${roleAttribute/x}", &["proj|${roleAttribute/x}|"]),
            ("proj/a;view:${roleAttribute/x}", &["proj|a|view:${roleAttribute/x}"]),
        ];
        for (text, expected) in table {
            assert_eq!(cut(text).unwrap_or_default(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_chain_is_refused() {
        let texts = [
            "",
            "*",
            "proj",
            "proj/",
            "proj/a;",
            "proj/a:",
            ":proj/a",
            "proj/a:*",
            "proj/a:flag/f",
            "acct/",
            "acct/a",
            "//proj/a",
            "proj/a:env/b;t:agentConfig/c",
            "proj/a:env/b:flag/c:d/e:f/g",
        ];
        for text in texts {
            assert_eq!(cut(text), None, "{text:?}");
        }
    }

    fn show(qualifier: Qualifier<'_>) -> String {
        match qualifier {
            Qualifier::Tag(text) => format!("tag {text}"),
            Qualifier::Property(text) => format!("property {text}"),
            Qualifier::View(key) => format!("view {key}"),
        }
    }

    #[test]
    fn qualifiers_are_cut_outside_braces() {
        let cut = |qualifiers| {
            let segment = Segment { name: "", qualifiers };
            segment.qualifiers().map(|it| it.map(show)).collect::<Vec<_>>()
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(cut(""), []);
        assert_eq!(cut("a,{b:c},view:d"), [some("tag a"), some("property {b:c}"), some("view d")]);
        assert_eq!(cut("a,,{b,c:d},{e},view:"), [some("tag a"), None, some("property {b,c:d}"), None, None]);
        assert_eq!(cut("{a:b,c"), [None]);
    }
}
