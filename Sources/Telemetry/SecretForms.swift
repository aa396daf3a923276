/// The spellings in which a known secret turns up in a text.
enum SecretForms {
    /// `secret` as it is, inside a JSON string, inside a JSON string inside a JSON string, and percent-encoded; nothing
    /// for a secret under ``Redactor/minimumSecretLength``.
    static func all(of secret: String) -> [[UInt8]] {
        guard secret.utf8.count >= Redactor.minimumSecretLength else { return [] }
        let json = JSONText.escaped(secret)
        var forms: Set<[UInt8]> = [
            Array(secret.utf8),
            json,
            JSONText.escaped(String(decoding: json, as: UTF8.self)),
            json.flatMap { $0 == UInt8(ascii: "/") ? Array("\\/".utf8) : [$0] },
            ASCIIOnlyJSON.escaped(secret),
            LogLine.escaped(secret),
        ]
        for digits in ["0123456789ABCDEF", "0123456789abcdef"] {
            let percent = percentEncoded(secret, digits: Array(digits.utf8))
            forms.insert(percent)
            forms.insert(percent.replacing(Array("%20".utf8), with: Array("+".utf8)))
        }
        return forms.sorted { $0.count > $1.count }
    }

    private static func percentEncoded(_ text: String, digits: [UInt8]) -> [UInt8] {
        text.utf8.flatMap { byte -> [UInt8] in
            byte.isASCIIAlphanumeric || "-._~".utf8.contains(byte)
                ? [byte] : [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
    }
}

/// JSON as Python's `json.dumps` writes it: everything outside ASCII as `\uXXXX`.
private enum ASCIIOnlyJSON {
    static func escaped(_ text: String) -> [UInt8] {
        text.unicodeScalars.flatMap { scalar -> [UInt8] in
            guard !scalar.isASCII else { return JSONText.escaped(String(scalar)) }
            return String(scalar).utf16.flatMap { unit in
                let hexadecimal = String(unit, radix: 16)
                return Array("\\u\(String(repeating: "0", count: 4 - hexadecimal.count))\(hexadecimal)".utf8)
            }
        }
    }
}
