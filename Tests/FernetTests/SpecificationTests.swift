import Foundation
import Testing

@testable import Fernet

/// The vectors that the Fernet specification publishes: generate.json, verify.json and invalid.json.
@Suite struct SpecificationTests {
    private static let secret = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="
    private static let hello =
        "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA=="
    /// 1985-10-26T01:20:00-07:00.
    private static let made = Date(timeIntervalSince1970: 499_162_800)

    @Test func generate() throws {
        let token = try FernetKeyRing(Self.secret).encrypt(
            Array("hello".utf8),
            now: Self.made,
            vector: Array(UInt8(0)...15)
        )
        #expect(token == Self.hello)
    }

    @Test func verify() throws {
        let content = try FernetKeyRing(Self.secret).decrypt(
            Self.hello,
            now: Self.made.addingTimeInterval(1),
            timeToLive: .seconds(60)
        )
        #expect(content == Array("hello".utf8))
    }

    struct Invalid: Sendable, CustomTestStringConvertible {
        let description: String
        let token: String
        var now = SpecificationTests.made.addingTimeInterval(1)
        let code: FernetError.Code

        var testDescription: String { description }
    }

    @Test(arguments: [
        Invalid(
            description: "incorrect mac",
            token: """
                gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykQUFBQUFBQUFBQQ==
                """,
            code: .wrongKey
        ),
        Invalid(
            description: "too short",
            token: "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPA==",
            code: .malformedToken
        ),
        Invalid(
            description: "invalid base64",
            token: """
                %%%%%%%%%%%%%AECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykRtfsH-p1YsUD2Q==
                """,
            code: .malformedToken
        ),
        Invalid(
            description: "payload size not multiple of block size",
            token: "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPOm73QeoCk9uGib28Xe5vz6oxq5nmxbx_v7mrfyudzUm",
            code: .malformedToken
        ),
        Invalid(
            description: "payload padding error",
            token: """
                gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0ODz4LEpdELGQAad7aNEHbf-JkLPIpuiYRLQ3RtXatOYREu2FWke6CnJNYIbkuKNqOhw==
                """,
            code: .badPadding
        ),
        Invalid(
            description: "far-future TS (unacceptable clock skew)",
            token: """
                gAAAAAAdwStRAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAnja1xKYyhd-Y6mSkTOyTGJmw2Xc2a6kBd-iX9b_qXQcw==
                """,
            code: .clockSkew
        ),
        Invalid(
            description: "expired TTL",
            token: """
                gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykRtfsH-p1YsUD2Q==
                """,
            now: SpecificationTests.made.addingTimeInterval(91),
            code: .expired
        ),
        Invalid(
            description: "incorrect IV (causes padding error)",
            token: """
                gAAAAAAdwJ6xBQECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAkLhFLHpGtDBRLRTZeUfWgHSv49TF2AUEZ1TIvcZjK1zQ==
                """,
            code: .badPadding
        ),
    ])
    func invalid(vector: Invalid) throws {
        let keys = try FernetKeyRing(Self.secret)
        let error = #expect(throws: FernetError.self) {
            try keys.decrypt(vector.token, now: vector.now, timeToLive: .seconds(60))
        }
        #expect(error?.code == vector.code)
        #expect(error?.description.contains(Self.secret) == false)
    }

    /// What only the time is against is fine for a caller without a time to live.
    @Test func timeIsIgnoredWithoutTimeToLive() throws {
        let expired =
            "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykRtfsH-p1YsUD2Q=="
        #expect(try FernetKeyRing(Self.secret).decrypt(expired) == [])
    }
}
