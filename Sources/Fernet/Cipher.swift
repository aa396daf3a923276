import COpenSSL

/// AES-128 in CBC mode with PKCS #7 padding.
enum Cipher {
    enum Direction: Int32 {
        case decrypt = 0
        case encrypt = 1
    }

    /// The other form of the input; nil if the last block is not padded as it must be.
    ///
    /// - Throws: ``FernetError`` with ``FernetError/Code/cryptographyFailed``.
    static func run(
        _ direction: Direction,
        _ input: [UInt8],
        vector: [UInt8],
        key: FernetKey
    ) throws(FernetError) -> [UInt8]? {
        guard let context = EVP_CIPHER_CTX_new() else {
            throw FernetError(.cryptographyFailed, "Out of memory for a cipher.")
        }
        // Also overwrites the key schedule.
        defer { EVP_CIPHER_CTX_free(context) }
        var output = [UInt8](repeating: 0, count: input.count + FernetToken.blockCount)
        var updated: Int32 = 0
        let isReady = key.withEncryptionKey { key in
            EVP_CipherInit_ex(
                context,
                EVP_aes_128_cbc(),
                nil,
                key.bindMemory(to: UInt8.self).baseAddress,
                vector,
                direction.rawValue
            )
        }
        guard isReady == 1, let count = Int32(exactly: input.count),
            EVP_CipherUpdate(context, &output, &updated, input, count) == 1
        else {
            throw FernetError(.cryptographyFailed, "OpenSSL refused AES-128-CBC or the size of the content.")
        }
        var finished: Int32 = 0
        let isPadded = output.withUnsafeMutableBufferPointer { buffer in
            EVP_CipherFinal_ex(context, buffer.baseAddress.map { $0 + Int(updated) }, &finished)
        }
        guard isPadded == 1 else {
            output.withUnsafeMutableBytes { OPENSSL_cleanse($0.baseAddress, $0.count) }
            // The error stays in this thread's queue otherwise, where another user of OpenSSL may trip over it.
            ERR_clear_error()
            return nil
        }
        output.removeLast(output.count - Int(updated + finished))
        return output
    }
}
