import Fernet
import Testing

@Suite struct AuthenticationCodeTests {
    @Test func aCodeIsOfItsFieldsItsPurposeAndAKeyOfTheRing() throws {
        let old = try FernetKey.generate()
        let new = try FernetKey.generate()
        let code = try FernetKeyRing(old).authenticationCode(of: ["ada", "token"], purpose: "p")
        #expect(code.count == 32)
        let ring = FernetKeyRing(new, others: [old])
        #expect(try ring.isAuthentic(code, of: ["ada", "token"], purpose: "p"))
        #expect(try ring.authenticationCode(of: ["ada", "token"], purpose: "p") != code, "by the first key")
        #expect(try !FernetKeyRing(new).isAuthentic(code, of: ["ada", "token"], purpose: "p"))
        #expect(try !ring.isAuthentic(code, of: ["ada", "token"], purpose: "q"))
        #expect(try !ring.isAuthentic(code, of: ["adat", "oken"], purpose: "p"), "a field ends where it ends")
        #expect(try !ring.isAuthentic(code, of: ["ada", "token", ""], purpose: "p"))
        for broken in [[], Array(code.dropLast()), code + [0], code.map { $0 ^ 1 }] {
            #expect(try !ring.isAuthentic(broken, of: ["ada", "token"], purpose: "p"))
        }
    }
}
