import Testing

@testable import Telemetry

@Suite struct RedactorTests {
    @Test(arguments: [
        ("postgres://app:hunter2@db:5432/x?sslmode=require", "postgres://app:[redacted]@db:5432/x?sslmode=require"),
        ("postgresql://app:a/b#c?d@e@db/x and more", "postgresql://app:[redacted]@db/x and more"),
        ("postgresql://app@db/x", "postgresql://app@db/x"),
        ("http://token@host/path", "http://[redacted]@host/path"),
        ("http://host:8003/a@b", "http://host:8003/a@b"),
        ("host=db password=hunter2 user=app", "host=db password=[redacted] user=app"),
        (#"host=db password='it\'s me' user=app"#, "host=db password='[redacted]' user=app"),
        (#"password=a\ b user=app"#, "password=[redacted] user=app"),
        ("postgres:///x?password=hunter2&user=app", "postgres:///x?password=[redacted]&user=app"),
        ("PGPASSWORD=hunter2", "PGPASSWORD=[redacted]"),
        ("password authentication failed for user", "password authentication failed for user"),
        (#"{"api_token":"abc","database_id":"d"}"#, #"{"api_token":"[redacted]","database_id":"d"}"#),
        (#"{\"master_token\": \"abc\", \"a\":1}"#, #"{\"master_token\": \"[redacted]\", \"a\":1}"#),
        ("token secret_a1B2c3D4e5F6 is bad", "token [redacted] is bad"),
        (#"line\nntn_1234567890abc"#, #"line\n[redacted]"#),
        ("aas_et/AKppINa-_=x rest", "[redacted] rest"),
        ("ya29.a0AfH6SM rest", "[redacted] rest"),
        ("Authorization: Bearer abcdef.ghi-jkl", "Authorization: Bearer [redacted]"),
        ("got bearer abcdefghijk, sent", "got bearer [redacted], sent"),
        ("the bearer of it", "the bearer of it"),
        (
            "gAAAAABcLz7n4VCo1lsr3yWHu9SYpL5jKAFkXGxs6Wj0pH3rX9BQ8w== end",
            "[redacted] end"
        ),
        ("key cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=, next", "key [redacted], next"),
        ("cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4%3D", "[redacted]"),
        ("cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4", "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4"),
        ("https://hooks.slack.com/services/T0/B0/xyz failed", "https://hooks.slack.com/[redacted] failed"),
        ("note 6f1c1d2e-0000-4000-8000-000000000000 of a@b.c", "note 6f1c1d2e-0000-4000-8000-000000000000 of a@b.c"),
        ("", ""),
        ("password=", "password="),
        ("://", "://"),
    ])
    func `A secret is told by its form`(text: String, expected: String) {
        #expect(Redactor().redact(text) == expected)
    }

    @Test func `A Fernet key in either alphabet is redacted`() {
        for key in ["cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=", "cw/0x689RpI+jtRR7oE8h/eQsKImvJapLeSbXpwF4e4="] {
            #expect(Redactor().redact("the key \(key) is old") == "the key [redacted] is old")
        }
    }

    @Test func `The product's own sentences stay as they are`() {
        for sentence in [
            "The credentials of user ada can't be decrypted (column google_oauth_token of credentials). The token was not made with "
                + "this key, or it was changed. Add the key it was made with. Set AWS_ENCRYPTION_KEY to the key they were stored with.",
            "Notion does not accept the token of user ada. Store a valid one with: syncctl credentials set ada --database-id ID.",
            "AWS_ENCRYPTION_KEY is not set, and credentials are stored already. Set it to the key they were stored with.",
        ] {
            #expect(Redactor().redact(sentence) == sentence)
        }
    }

    @Test func `A Fernet token in base64, as credentials are stored, is redacted`() {
        let stored = "Z0FBQUFBQmNMejduNFZDbzFsc3IzeVdIdTlTWXBMNWpLQUZrWEd4czZXajBwSDNyWDlCUTh3PT0="
        #expect(Redactor().redact("value \(stored).") == "value [redacted]")
    }

    @Test func `A known secret is found raw, in JSON, in JSON within JSON and percent-encoded`() {
        let secret = "tok\"en/ü &\\\n\u{1}x"
        let redactor = Redactor(secrets: [secret])
        let json = String(decoding: JSONText.escaped(secret), as: UTF8.self)
        let nested = String(decoding: JSONText.escaped(json), as: UTF8.self)
        let python = #"tok\"en/\u00fc &\\\n\u0001x"#
        let percent = "tok%22en%2F%C3%BC%20%26%5C%0A%01x"
        let plus = "tok%22en%2f%c3%bc+%26%5c%0a%01x"
        for form in [secret, json, nested, python, percent, plus] {
            #expect(redactor.redact("<\(form)>") == "<[redacted]>")
        }
    }

    @Test func `Overlapping secrets are replaced as one`() {
        let redactor = Redactor(secrets: ["abcdef", "defghi", "cde1"])
        #expect(redactor.redact("-abcdefghi-abcdef") == "-[redacted]-[redacted]")
    }

    @Test func `Short secrets are ignored`() {
        #expect(Redactor(secrets: ["", "a", "abc"]).redact("abc a") == "abc a")
    }

    @Test func `Registration is counted`() async {
        let secret = "registered-\(UInt64.random(in: 0 ... .max))"
        Redactor.register(secret)
        await Redactor.withRegistered([secret]) {
            #expect(Redactor().redact("x \(secret)") == "x [redacted]")
        }
        #expect(Redactor.processWide.redact(secret) == "[redacted]")
        Redactor.unregister(secret)
        Redactor.unregister(secret)
        #expect(Redactor.processWide.redact(secret) == secret)
    }

    @Test(arguments: [
        ("plain", 10, "plain"),
        ("plain", 5, "plain"),
        ("plain", 4, "pla…"),
        ("a\0b\u{1B}[31mc\r\nd\te\n", 40, "ab[31mc d e "),
        ("👩‍👩‍👧‍👧🇮🇹x", 2, "👩‍👩‍👧‍👧…"),
        ("anything", 0, ""),
        ("", 0, ""),
    ])
    func `Sanitized text has no controls and a bounded length`(text: String, limit: Int, expected: String) {
        #expect(Redactor().sanitize(text, limit: limit) == expected)
    }

    @Test func `A secret is redacted before the text is cut, and although controls break it up`() {
        let redactor = Redactor(secrets: ["abcdefghijkl"])
        let accents = "e" + String(repeating: "\u{301}", count: 5_000)
        #expect(redactor.sanitize(accents, limit: 8).unicodeScalars.count == 32, "one character, but a long text")
        #expect(redactor.sanitize("x abcdefghijkl", limit: 8) == "x [reda…")
        #expect(redactor.sanitize("x abcdef\0ghijkl", limit: 80) == "x [redacted]")
    }

    @Test func `A sensitive value never prints`() {
        let sensitive = Sensitive("hunter2")
        var dumped = ""
        dump([sensitive], to: &dumped)
        for text in [
            "\(sensitive)", String(reflecting: sensitive), "\([sensitive])", dumped, "\(Optional(sensitive) as Any)",
        ] {
            #expect(!text.contains("hunter2"))
            #expect(text.contains("[redacted]"))
        }
        #expect(sensitive.value == "hunter2")
    }
}
