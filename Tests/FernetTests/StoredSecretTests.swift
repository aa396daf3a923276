import Foundation
import Testing

@testable import Fernet

@Suite struct StoredSecretTests {
    private let secrets: StoredSecret

    init() throws {
        secrets = StoredSecret(keyRing: try FernetKeyRing("cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="))
    }

    @Test(arguments: ["a-b", "aas_et/token=", "ключ 🔑", String(repeating: "long ", count: 1000)])
    func secretComesBack(secret: String) throws {
        let stored = try secrets.encrypt(secret)
        #expect(!stored.contains(secret))
        #expect(try secrets.decrypt(stored) == secret)
        let token = try #require(Data(base64Encoded: stored))
        #expect(String(decoding: token, as: UTF8.self).hasPrefix("gAAAA"))
    }

    @Test func emptyStaysEmpty() throws {
        #expect(try secrets.encrypt("") == "")
        #expect(try secrets.decrypt("") == "")
        #expect(try secrets.decrypt(" \n") == "")
    }

    @Test func otherSpellingsAreRead() throws {
        let stored = try secrets.encrypt("secret")
        let unpadded = stored.trimmingCharacters(in: ["="])
        let lines = stored.enumerated().map { $0 % 19 == 18 ? "\($1)\r\n" : "\($1)" }.joined()
        for text in [unpadded, lines, " \(stored)\n", unpadded + "\n"] {
            #expect(try secrets.decrypt(text) == "secret")
        }
        let token = try #require(Data(base64Encoded: stored))
        let inner = String(decoding: token, as: UTF8.self)
        let unpaddedTwice = Data(inner.trimmingCharacters(in: ["="]).utf8).base64EncodedString()
        #expect(try secrets.decrypt(unpaddedTwice) == "secret")
        #expect(try secrets.decrypt(Data((inner + "\n").utf8).base64EncodedString()) == "secret")
    }

    /// Written by another implementation (Python's cryptography).
    @Test func textOfAnotherImplementation() throws {
        let stored =
            "Z0FBQUFBQnJCTURKSnVLbEhEckQ5RXBHU2p2V2daVjdvYkhKZlMyZExGdXE2X1FEc0xmMTQ1TERUN0tLVnZKUG5SNVI4aVAxOFBZ"
            + "OFVMNFJnY2dVU1VaRlVYd3NGMnc0b3lpVHdMQUJpWUJHUl9Lcmx4aDR0a1E9"
        #expect(try secrets.decrypt(stored) == "secret of another")
    }

    @Test(arguments: ["plain text!", "aGVsbG8=", "gAAAAA", "%%%"])
    func malformed(stored: String) {
        let error = #expect(throws: FernetError.self) { try secrets.decrypt(stored) }
        #expect(error?.code == .malformedToken)
    }

    @Test func contentThatIsNotText() throws {
        let ring = try FernetKeyRing("cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=")
        let stored = Data(try ring.encrypt([0xFF, 0xFE]).utf8).base64EncodedString()
        let error = #expect(throws: FernetError.self) { try secrets.decrypt(stored) }
        #expect(error?.code == .notText)
    }

    @Test func wrongKey() throws {
        let other = StoredSecret(keyRing: FernetKeyRing(try FernetKey.generate()))
        let stored = try other.encrypt("secret")
        let error = #expect(throws: FernetError.self) { try secrets.decrypt(stored) }
        #expect(error?.code == .wrongKey)
        #expect(error?.description.contains("secret of") == false)
    }

    @Test func base64OfEveryLength() {
        for count in 0..<50 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ 201) }
            let text = Base64.encode(bytes, alphabet: .standard)
            #expect(text == Data(bytes).base64EncodedString())
            #expect(Base64.decode(text, alphabet: .standard) == bytes)
            #expect(Base64.decodeLeniently(text) == bytes)
            #expect(Base64.decode(Base64.encode(bytes, alphabet: .urlSafe), alphabet: .urlSafe) == bytes)
        }
        for text in ["A", "AA=", "AAA", "AA==AA==", "A===", "AB==", "AA-A", "AAAA=", "AAAA===="] {
            #expect(Base64.decode(text, alphabet: .standard) == nil, "\(text)")
        }
    }
}
