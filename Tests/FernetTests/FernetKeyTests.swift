import Fernet
import Testing

@Suite struct FernetKeyTests {
    @Test func generatedKeysDiffer() throws {
        let first = try FernetKey.generate()
        let second = try FernetKey.generate()
        #expect(first.base64 != second.base64)
        #expect(first.base64.utf8.count == 44)
        #expect(try FernetKey(base64: first.base64).base64 == first.base64)
    }

    @Test func whiteSpaceAroundAKeyDoesNotMatter() throws {
        let text = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="
        #expect(try FernetKey(base64: " \(text)\r\n").base64 == text)
    }

    @Test(arguments: [
        "cw/0x689RpI+jtRR7oE8h/eQsKImvJapLeSbXpwF4e4=", "cw_0x689RpI-jtRR7oE8h/eQsKImvJapLeSbXpwF4e4=",
    ])
    func aKeyInTheStandardAlphabetIsTheSameKey(text: String) throws {
        let key = try FernetKey(base64: text)
        #expect(key.base64 == "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=")
        let token = try FernetKeyRing("cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=").encrypt("text")
        #expect(String(decoding: try FernetKeyRing(key).decrypt(token), as: UTF8.self) == "text")
    }

    @Test(arguments: [
        "", " ", "=", "====", "short", "cw 0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=",
        "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4", "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e5=",
        "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4Q==", "cw_0x689RpI-jtRR7oE8h_eQ KImvJapLeSbXpwF4e4=",
    ])
    func invalidKey(text: String) {
        let error = #expect(throws: FernetError.self) { try FernetKey(base64: text) }
        #expect(error?.code == .invalidKey)
        if text.count > 4 { #expect(error?.description.contains(text) == false) }
    }

    @Test func descriptionsDoNotShowTheKey() throws {
        let key = try FernetKey.generate()
        var dumped = ""
        dump(key, to: &dumped)
        dump(FernetKeyRing(key), to: &dumped)
        dump(StoredSecret(keyRing: FernetKeyRing(key)), to: &dumped)
        for text in ["\(key)", String(reflecting: key), dumped, "\(FernetKeyRing(key))"] {
            #expect(!text.contains(key.base64.prefix(8)))
            #expect(text.contains("redacted"))
        }
    }
}
