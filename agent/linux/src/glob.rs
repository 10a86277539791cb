//! Patterns for the names of files, as glob(7) has them for one component of a path.

/// Whether `name` matches `pattern`: `*`, `?`, `[a-z]`, `[!a]` and a backslash before what is meant literally.
///
/// Byte by byte, but `?` and a bracket take a whole character of UTF-8. The time it takes is bounded by the product of
/// both lengths.
pub fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut in_name) = (0, 0);
    // Where to go on if the rest does not match: after the last star, which takes one byte more then.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        if pattern.get(at) == Some(&b'*') {
            at += 1;
            retry = Some((at, in_name));
            continue;
        }
        if in_name == name.len() && at == pattern.len() {
            return true;
        }
        if in_name < name.len()
            && let Some((next, taken)) = one(&pattern[at..], &name[in_name..])
        {
            at += next;
            in_name += taken;
            continue;
        }
        match retry {
            Some((after_star, from)) if from < name.len() => {
                (at, in_name) = (after_star, from + 1);
                retry = Some((after_star, from + 1));
            }
            _ => return false,
        }
    }
}

/// If the first element of the pattern, which is no star, takes what the name begins with: the length of both.
fn one(pattern: &[u8], name: &[u8]) -> Option<(usize, usize)> {
    match (*pattern.first()?, *name.first()?) {
        (b'?', _) => Some((1, character(name).1)),
        (b'[', _) if bracket(pattern).is_some() => {
            let (content, length) = bracket(pattern)?;
            let (character, taken) = character(name);
            in_bracket(content, character).then_some((length, taken))
        }
        (b'\\', first) if pattern.len() > 1 => (pattern[1] == first).then_some((2, 1)),
        (literal, first) => (literal == first).then_some((1, 1)),
    }
}

/// The first character and its length; a byte that is none counts as itself.
fn character(bytes: &[u8]) -> (u32, usize) {
    let first = bytes.utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next());
    match first {
        Some(character) => (u32::from(character), character.len_utf8()),
        None => (bytes.first().map_or(0, |&byte| u32::from(byte)), 1),
    }
}

/// What stands in the brackets that the pattern begins with, and the length with them. `None`: they are not closed, so
/// that `[` is meant literally.
fn bracket(pattern: &[u8]) -> Option<(&[u8], usize)> {
    let negated = usize::from(matches!(pattern.get(1), Some(b'!' | b'^')));
    // A bracket that comes first is meant literally.
    let from = 2 + negated;
    let end = from + pattern.get(from..)?.iter().position(|&byte| byte == b']')?;
    Some((&pattern[1..end], end + 1))
}

fn in_bracket(content: &[u8], character_wanted: u32) -> bool {
    let (negated, mut rest) = match content.split_first() {
        Some((b'!' | b'^', rest)) => (true, rest),
        _ => (false, content),
    };
    let mut found = false;
    while !rest.is_empty() {
        let (low, taken) = character(rest);
        rest = &rest[taken..];
        let mut high = low;
        if rest.len() > 1 && rest[0] == b'-' {
            let (end, taken) = character(&rest[1..]);
            high = end;
            rest = &rest[1 + taken..];
        }
        found |= (low..=high).contains(&character_wanted);
    }
    found != negated
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_as_glob_has_it() {
        for (pattern, name) in [
            ("*", ""),
            ("*.log", "a.log"),
            ("a*b*c", "aXbbYc"),
            ("?", "ä"),
            ("[a-c]?[!x]", "b1y"),
            ("\\*", "*"),
            ("[]]", "]"),
            ("a[", "a["),
            ("**", "x"),
            ("*[0-9]", "core.12"),
            ("[ä-ö]", "ö"),
        ] {
            assert!(matches(pattern.as_bytes(), name.as_bytes()), "{pattern} {name}");
        }
        for (pattern, name) in
            [("", "a"), ("*.log", "a.log1"), ("?", ""), ("[!a]", "a"), ("a", "ab"), ("\\*", "a")]
        {
            assert!(!matches(pattern.as_bytes(), name.as_bytes()), "{pattern} {name}");
        }
        assert!(matches(b"a?", b"a\xff"));
    }

    #[test]
    fn many_stars_take_no_time() {
        assert!(!matches(&b"*a".repeat(2000), &[b'a'; 1999]));
    }
}
