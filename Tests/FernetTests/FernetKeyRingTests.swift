import Fernet
import Testing

@Suite struct FernetKeyRingTests {
    @Test(arguments: [0, 1, 15, 16, 17, 31, 32, 1000, 100_000])
    func contentComesBack(byteCount: Int) throws {
        let keys = FernetKeyRing(try FernetKey.generate())
        let content = (0..<byteCount).map { UInt8(truncatingIfNeeded: $0) }
        let token = try keys.encrypt(content)
        #expect(try keys.decrypt(token) == content)
        #expect(try keys.encrypt(content) != token)
    }

    @Test func firstKeyEncryptsAndAllDecrypt() throws {
        let old = try FernetKey.generate()
        let new = try FernetKey.generate()
        let ring = try FernetKeyRing("\(new.base64), \(old.base64)\n")
        #expect(ring.count == 2)
        #expect(try ring.decrypt(FernetKeyRing(old).encrypt("old")) == Array("old".utf8))
        let token = try ring.encrypt("new")
        #expect(try FernetKeyRing(new).decrypt(token) == Array("new".utf8))
        let error = #expect(throws: FernetError.self) { try FernetKeyRing(old).decrypt(token) }
        #expect(error?.code == .wrongKey)
    }

    @Test func wrongKeyOfSeveralIsNamed() throws {
        let key = try FernetKey.generate().base64
        let error = #expect(throws: FernetError.self) { try FernetKeyRing("\(key),secret-part") }
        #expect(error?.code == .invalidKey)
        #expect(error?.message.hasPrefix("Key 2 of 2: ") == true)
        #expect(error?.message.contains("secret-part") == false)
        #expect(throws: FernetError.self) { try FernetKeyRing("") }
        #expect(throws: FernetError.self) { try FernetKeyRing("\(key),") }
    }

    /// No bit of a token may change without being noticed.
    @Test func everyChangedCharacterIsNoticed() throws {
        let ring = FernetKeyRing(try FernetKey.generate())
        let token = Array(try ring.encrypt("a secret").utf8)
        for index in token.indices {
            var changed = token
            changed[index] = changed[index] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
            #expect(throws: FernetError.self) { try ring.decrypt(String(decoding: changed, as: UTF8.self)) }
        }
        for length in 0..<token.count {
            #expect(throws: FernetError.self) { try ring.decrypt(String(decoding: token[..<length], as: UTF8.self)) }
        }
    }
}
