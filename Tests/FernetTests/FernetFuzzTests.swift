import Foundation
import TestSupport
import Testing

@testable import Fernet

/// Tokens, keys and stored secrets, whole and spoiled.
@Suite struct FernetFuzzTests {
    private static let words = ["=", "==", "-", "_", "+", "/", "A", "gAAAAA", " ", "\n", "\u{0}", "é", ","]

    @Test func aSpoiledTokenIsRefused() throws {
        let ring = FernetKeyRing(try FernetKey.generate())
        try fuzz(runs: 3_000) { random, seed in
            let content = random.bytes(0...100)
            let token = try ring.encrypt(content)
            #expect(try ring.decrypt(token) == content)
            let spoiled = String(decoding: random.mutate(Array(token.utf8), words: Self.words), as: UTF8.self)
            guard !spoiled.utf8.elementsEqual(token.utf8) else { return }
            #expect(throws: FernetError.self, "SYNC_FUZZ_SEED=\(seed): \(spoiled)") { try ring.decrypt(spoiled) }
        }
    }

    /// What is stored may be spelled in several ways, but never reads as another secret.
    @Test func aSpoiledStoredSecretIsRefusedOrTheSame() throws {
        let secrets = StoredSecret(keyRing: FernetKeyRing(try FernetKey.generate()))
        var same = 0
        try fuzz(runs: 3_000) { random, seed in
            let secret = "secret \(random.next())"
            let stored = try secrets.encrypt(secret)
            let spoiled = String(decoding: random.mutate(Array(stored.utf8), words: Self.words), as: UTF8.self)
            do throws(FernetError) {
                let read = try secrets.decrypt(spoiled)
                #expect(read == secret || spoiled.allSatisfy { $0.isWhitespace || $0 == "=" }, "SYNC_FUZZ_SEED=\(seed)")
                same += 1
            } catch {
                #expect(!error.message.contains(secret), "SYNC_FUZZ_SEED=\(seed)")
            }
        }
        #expect(same > 5)
    }

    @Test func aKeyHasOneSpelling() throws {
        let text = try FernetKey.generate().base64
        fuzz(runs: 3_000) { random, seed in
            let spoiled = String(decoding: random.mutate(Array(text.utf8), words: Self.words), as: UTF8.self)
            guard let key = try? FernetKey(base64: spoiled) else { return }
            // In either alphabet, and in no other way.
            let urlSafe = spoiled.replacing("+", with: "-").replacing("/", with: "_")
            #expect(key.base64 == urlSafe.trimmingCharacters(in: .whitespacesAndNewlines), "SYNC_FUZZ_SEED=\(seed)")
        }
    }

    @Test func base64IsReadAsFoundationReadsIt() {
        fuzz(runs: 5_000) { random, seed in
            let bytes = random.bytes(0...40)
            let text = Base64.encode(bytes, alphabet: .standard)
            #expect(text == Data(bytes).base64EncodedString(), "SYNC_FUZZ_SEED=\(seed)")
            #expect(Base64.decode(text, alphabet: .standard) == bytes, "SYNC_FUZZ_SEED=\(seed)")
            let spoiled = String(decoding: random.mutate(Array(text.utf8), words: Self.words), as: UTF8.self)
            guard let read = Base64.decode(spoiled, alphabet: .standard) else { return }
            #expect(Data(base64Encoded: spoiled).map(Array.init) == read, "SYNC_FUZZ_SEED=\(seed): \(spoiled)")
            #expect(Base64.encode(read, alphabet: .standard) == spoiled, "SYNC_FUZZ_SEED=\(seed): \(spoiled)")
        }
    }
}
