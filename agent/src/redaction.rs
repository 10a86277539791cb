//! What of an environment looks like a secret.
//!
//! In doubt it is one: what is left out by mistake can be asked for again, what was shown by mistake can not be unseen.

/// What may be shown of a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// All of it.
    Harmless,
    /// All but the value: the name looks like that of a secret.
    Name,
    /// All but the value: it looks like a secret.
    Value,
    /// This, in which [`MARK`] stands in place of a password.
    Password(Vec<u8>),
    /// Nothing: the name itself looks like a secret.
    Nameless,
}

/// Stands in place of a password within an address.
pub const MARK: &[u8] = b"[redacted]";

/// Parts of the names of secrets.
const SECRET_NAMES: &[&str] = &[
    "PASS",
    "PWD",
    "SECRET",
    "TOKEN",
    "CREDENTIAL",
    "CREDS",
    "AUTH",
    "COOKIE",
    "SESSION",
    "DSN",
    "KEY",
    "PRIVATE",
    "JWT",
    "BEARER",
    "OTP",
    "SIGNATURE",
    "CONNECTION_STRING",
    "CONNSTR",
    "CONN_STR",
];

/// Words of names that are too short to be looked for within others.
const SECRET_WORDS: &[&[u8]] = &[b"PW", b"PSW", b"SAS"];

/// Parts of names that hold one of the above and are none.
const HARMLESS_NAMES: &[&str] = &["KEYBOARD", "KEYMAP", "MONKEY"];

/// Whole names that hold one of the above and are none.
const HARMLESS: &[&str] = &["PWD", "OLDPWD"];

/// Parts of names that are those of secrets only if the value is long and looks random.
const DOUBTFUL_NAMES: &[&str] =
    &["SALT", "SEED", "HASH", "NONCE", "SIGN", "CERT", "CODE", "CIPHER", "MASTER", "ACCESS"];

/// What begins a secret of a known kind, and how many characters of a token follow at least.
const PREFIXES: &[(&str, usize)] = &[
    ("AKIA", 16),
    ("ASIA", 16),
    ("AIza", 30),
    ("ghp_", 20),
    ("gho_", 20),
    ("ghu_", 20),
    ("ghs_", 20),
    ("ghr_", 20),
    ("github_pat_", 20),
    ("glpat-", 16),
    ("xoxa-", 8),
    ("xoxb-", 8),
    ("xoxe-", 8),
    ("xoxo-", 8),
    ("xoxp-", 8),
    ("xoxr-", 8),
    ("xoxs-", 8),
    ("xapp-", 8),
    ("sk-", 20),
    ("sk_live_", 10),
    ("sk_test_", 10),
    ("rk_live_", 10),
    ("whsec_", 16),
    ("SG.", 20),
    ("npm_", 20),
    ("pypi-", 20),
    ("dckr_pat_", 16),
    ("hvs.", 16),
    ("dop_v1_", 20),
    ("shpat_", 16),
    ("ya29.", 20),
    ("AGE-SECRET-KEY-", 20),
];

/// Words that are followed by a secret in connection strings, options and JSON.
const KEYWORDS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "pass",
    "secret",
    "token",
    "apikey",
    "api_key",
    "api-key",
    "accesskey",
    "access_key",
    "accountkey",
    "sharedkey",
    "private_key",
    "auth",
    "authorization",
    "credential",
    "credentials",
    "sig",
];

/// Judges a variable by its name and by its value.
pub fn judge(name: &[u8], value: &[u8]) -> Verdict {
    if is_secret(name) {
        return Verdict::Nameless;
    }
    if value.is_empty() {
        // That a password is empty is worth knowing, and no secret.
        return Verdict::Harmless;
    }
    let name = name.to_ascii_uppercase();
    if is_secret_name(&name) || (is_doubtful_name(&name) && looks_random(value)) {
        return Verdict::Name;
    }
    let shown = without_password(value);
    match shown {
        _ if is_secret(shown.as_deref().unwrap_or(value)) => Verdict::Value,
        Some(shown) => Verdict::Password(shown),
        None => Verdict::Harmless,
    }
}

fn is_secret_name(name: &[u8]) -> bool {
    if HARMLESS.iter().any(|harmless| name == harmless.as_bytes()) {
        return false;
    }
    let mut name = name.to_vec();
    for harmless in HARMLESS_NAMES {
        while let Some(at) = find(&name, harmless.as_bytes()) {
            name.drain(at..at + harmless.len());
        }
    }
    // An author is no authorization.
    let words: Vec<_> =
        name.split(|byte| !byte.is_ascii_alphanumeric()).filter(|&word| word != b"AUTHOR").collect();
    let name = words.join(&b'_');
    words.iter().any(|word| SECRET_WORDS.contains(word))
        || SECRET_NAMES.iter().any(|part| find(&name, part.as_bytes()).is_some())
}

fn is_doubtful_name(name: &[u8]) -> bool {
    DOUBTFUL_NAMES.iter().any(|part| find(name, part.as_bytes()).is_some())
}

/// Long, and of letters and digits mixed, as hexadecimal and base64 are.
fn looks_random(value: &[u8]) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_digit();
    let is_letter = |byte: &u8| byte.is_ascii_alphabetic();
    let of_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=-_".contains(byte);
    value.len() >= 20
        && value.iter().all(of_base64)
        && value.iter().any(is_digit)
        && value.iter().any(is_letter)
}

fn is_secret(text: &[u8]) -> bool {
    find(text, b"-----BEGIN ").is_some()
        || PREFIXES.iter().any(|(prefix, length)| has_token(text, prefix.as_bytes(), *length))
        || has_web_token(text)
        || has_authorization(text)
        || has_keyword(text)
}

fn is_of_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'+' | b'/' | b'=')
}

fn token_length(text: &[u8]) -> usize {
    text.iter().take_while(|&&byte| is_of_token(byte)).count()
}

/// Whether a token of at least that length follows `prefix`, which does not stand within a word.
fn has_token(text: &[u8], prefix: &[u8], length: usize) -> bool {
    positions(text, prefix).any(|at| {
        let begins_word = at.checked_sub(1).is_none_or(|before| !text[before].is_ascii_alphanumeric());
        begins_word && token_length(&text[at + prefix.len()..]) >= length
    })
}

/// A JSON web token: three parts of base64 with dots between, the first of which spells `{"`.
fn has_web_token(text: &[u8]) -> bool {
    positions(text, b"eyJ").any(|at| {
        let token = &text[at..at + token_length(&text[at..])];
        token.len() >= 20 && token.contains(&b'.')
    })
}

fn has_authorization(text: &[u8]) -> bool {
    let lower = text.to_ascii_lowercase();
    [&b"bearer "[..], b"basic "].iter().any(|scheme| {
        positions(&lower, scheme).any(|at| token_length(lower[at + scheme.len()..].trim_ascii_start()) >= 8)
    })
}

/// `password=…`, `"token": "…"`, `--secret …`: a keyword that ends a word and is followed by something.
fn has_keyword(text: &[u8]) -> bool {
    let lower = text.to_ascii_lowercase();
    KEYWORDS.iter().any(|keyword| {
        positions(&lower, keyword.as_bytes()).any(|at| {
            let (before, after) = (&lower[..at], &lower[at + keyword.len()..]);
            let quotes = after.iter().take_while(|byte| b" \t\"'\\".contains(byte)).count();
            let rest = &after[quotes..];
            let is_assigned = rest.first().is_some_and(|byte| b"=:".contains(byte)) && rest.len() > 1;
            let is_option = is_of_option(before) && quotes > 0 && !rest.is_empty();
            is_assigned || is_option
        })
    })
}

/// Whether the word that ends here began with a `-`.
fn is_of_option(before: &[u8]) -> bool {
    before.rsplit(|byte| byte.is_ascii_whitespace()).next().is_some_and(|word| word.starts_with(b"-"))
}

/// The value with [`MARK`] in place of what stands between `scheme://user:` and the last `@`; or in place of the user, if
/// there is no password and the user is as long as a token. `None`: there is no such thing. Without a scheme, as drivers of
/// databases have it, there must be a password; the digest of an image follows none.
///
/// Passwords are often not escaped as they should be, so that whatever is in between counts as one.
fn without_password(value: &[u8]) -> Option<Vec<u8>> {
    let scheme = find(value, b"://");
    let scheme_end = scheme.map_or(0, |at| at + 3);
    let at = value.iter().rposition(|&byte| byte == b'@').filter(|&at| at > scheme_end)?;
    let user = &value[scheme_end..at];
    let start = match user.iter().position(|&byte| byte == b':') {
        Some(colon) => scheme_end + colon + 1,
        None if scheme.is_some() && user.len() >= 16 => scheme_end,
        None => return None,
    };
    if start == at || (scheme.is_none() && value[at..].starts_with(b"@sha256:")) {
        return None;
    }
    Some([&value[..start], MARK, &value[at..]].concat())
}

fn positions<'t>(text: &'t [u8], part: &'t [u8]) -> impl Iterator<Item = usize> + 't {
    text.windows(part.len()).enumerate().filter(move |(_, window)| *window == part).map(|(at, _)| at)
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    positions(text, part).next()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(name: &str, value: &str) -> Verdict {
        judge(name.as_bytes(), value.as_bytes())
    }

    #[test]
    fn names_of_secrets_are_known_and_others_left_alone() {
        for name in [
            "DB_PASSWORD",
            "db_password",
            "MYSQL_PWD",
            "PGPASSWORD",
            "API_KEY",
            "apikey",
            "GITHUB_TOKEN",
            "SECRET_KEY_BASE",
            "AUTHORIZATION",
            "BASIC_AUTH",
            "SENTRY_DSN",
            "SESSION_COOKIE",
            "AWS_SECRET_ACCESS_KEY",
            "GOOGLE_CREDENTIALS",
            "spring.datasource.password",
            "AZURE_STORAGE_CONNECTION_STRING",
            "PASSPHRASE",
            "MONKEY_KEY",
        ] {
            assert_eq!(of(name, "x"), Verdict::Name, "{name}");
        }
        for name in [
            "PWD",
            "OLDPWD",
            "PATH",
            "HOME",
            "LANG",
            "GIT_AUTHOR_NAME",
            "KEYBOARD_LAYOUT",
            "HOSTNAME",
            "GIT_COMMIT",
        ] {
            assert_eq!(of(name, "x"), Verdict::Harmless, "{name}");
        }
        assert_eq!(of("PASSWORD", ""), Verdict::Harmless, "that it is empty is what one looks for");
    }

    #[test]
    fn doubtful_names_are_judged_by_how_random_the_value_looks() {
        assert_eq!(of("APP_SALT", "0f3a9c5e7b1d2f4a6c8e0b2d"), Verdict::Name);
        assert_eq!(of("EXIT_CODE", "1"), Verdict::Harmless);
        assert_eq!(of("GIT_COMMIT", "0f3a9c5e7b1d2f4a6c8e0b2d4f6a8c0e1b3d5f7a"), Verdict::Harmless);
    }

    #[test]
    fn values_that_are_secrets_are_known_whatever_they_are_called() {
        for value in [
            "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
            "AKIAIOSFODNN7EXAMPLE",
            "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
            "see xoxb-1234567890-abcdef",
            "AIzaSyA1234567890abcdefghijklmnopqrstuv",
            "Bearer abcdef0123456789",
            "Server=db;User Id=sa;Password=hunter2;",
            "-Djavax.net.ssl.trustStorePassword=changeit",
            "--user joe --password hunter2",
            r#"{"auths":{"r":{"auth":"am9lOmh1bnRlcjI="}}}"#,
            "https://host/?token=abcdef",
        ] {
            assert_eq!(of("SOMETHING", value), Verdict::Value, "{value}");
        }
        for value in [
            "/usr/local/bin:/usr/bin",
            "info",
            "en_US.UTF-8",
            "http://proxy:3128",
            "passive",
            "risk-assessment",
        ] {
            assert_eq!(of("SOMETHING", value), Verdict::Harmless, "{value}");
        }
    }

    #[test]
    fn of_an_address_only_the_password_is_left_out() {
        let shown = |value: &str| match of("DATABASE_URL", value) {
            Verdict::Password(shown) => String::from_utf8(shown).unwrap(),
            other => panic!("{other:?}"),
        };
        assert_eq!(shown("postgres://joe:hunter2@db:5432/shop"), "postgres://joe:[redacted]@db:5432/shop");
        assert_eq!(shown("redis://:p@ss/w#rd@cache"), "redis://:[redacted]@cache");
        assert_eq!(shown("https://0123456789abcdef0123@github.com/x"), "https://[redacted]@github.com/x");
        assert_eq!(of("REMOTE", "ssh://git@github.com/x"), Verdict::Harmless);
    }

    #[test]
    fn a_name_that_is_a_secret_is_not_shown() {
        assert_eq!(of("ghp_16C7e42F292c6912E7710c838347Ae178B4a", "1"), Verdict::Nameless);
    }

    /// What is shown of a variable, all of it.
    fn shown(name: &[u8], value: &[u8]) -> Vec<u8> {
        match judge(name, value) {
            Verdict::Harmless => [name, b"=", value].concat(),
            Verdict::Password(shown) => [name, b"=", &shown].concat(),
            Verdict::Name | Verdict::Value => name.to_vec(),
            Verdict::Nameless => Vec::new(),
        }
    }

    /// Something that could stand around a secret.
    fn around() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop::sample::select(b" ,;'\"{}\n\t\xff\x1b".to_vec()), 0..6)
    }

    proptest! {
        #[test]
        fn a_secret_under_the_name_of_one_never_appears(
            part in prop::sample::select(SECRET_NAMES), before in "[A-Z_]{0,8}", after in "[A-Z0-9_]{0,8}",
            secret in prop::collection::vec(1..=u8::MAX, 24..60),
        ) {
            // What takes a part for a harmless word is meant to be shown.
            let name = format!("{before}_{part}_{after}");
            prop_assume!(is_secret_name(name.as_bytes()));
            let shown = shown(name.to_lowercase().as_bytes(), &secret);
            prop_assert!(find(&shown, &secret).is_none());
        }

        #[test]
        fn a_token_of_a_known_kind_never_appears(
            (prefix, length) in prop::sample::select(PREFIXES), rest in "[A-Za-z0-9]{40}", name in "[A-Z_]{1,12}",
            before in around(), after in around(),
        ) {
            let token = [prefix.as_bytes(), &rest.as_bytes()[..length]].concat();
            let value = [before, token.clone(), after].concat();
            prop_assert!(find(&shown(name.as_bytes(), &value), &token).is_none());
            prop_assert!(find(&shown(&value, name.as_bytes()), &token).is_none());
        }

        #[test]
        fn a_password_in_an_address_never_appears(
            scheme in "[a-z]{2,10}", user in "[a-z]{0,8}", password in "Q[!-~ ]{8,40}", host in "[a-z.]{1,20}",
            name in "[A-Z_]{1,12}", before in around(),
        ) {
            let address = format!("{scheme}://{user}:{password}@{host}");
            let shown = shown(name.as_bytes(), &[before, address.into_bytes()].concat());
            prop_assert!(find(&shown, password.as_bytes()).is_none());
        }

        #[test]
        fn what_follows_a_keyword_never_appears(
            keyword in prop::sample::select(KEYWORDS), assigned in prop::sample::select(vec!["=", ": ", "\":\"", " = "]),
            secret in "Q[A-Za-z0-9]{10,30}", before in around(),
        ) {
            let value = [&before[..], keyword.to_uppercase().as_bytes(), assigned.as_bytes(), secret.as_bytes()].concat();
            prop_assert!(find(&shown(b"OPTIONS", &value), secret.as_bytes()).is_none());
        }
    }
    #[test]
    fn an_address_without_a_scheme_and_short_words_are_no_way_around() {
        let shown = |value: &[u8]| judge(b"DATABASE", value);
        let password = Verdict::Password(b"root:[redacted]@tcp(db:3306)/app".to_vec());
        assert_eq!(shown(b"root:hunter2@tcp(db:3306)/app"), password);
        assert_eq!(shown(b"nobody.in.particular@example.org"), Verdict::Harmless);
        assert_eq!(shown(b"nginx:1.27@sha256:00ff"), Verdict::Harmless);
        assert_eq!(judge(b"DB_PW", b"x"), Verdict::Name);
        assert_eq!(judge(b"PWM_CHANNEL", b"1"), Verdict::Harmless);
    }
}
