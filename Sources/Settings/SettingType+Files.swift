#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

extension SettingType where Value == String {
    /// The path of a file with certificates, which is read here: a wrong one is said at the start, and not by every
    /// call.
    static var certificateFile: Self {
        text("path", "the path of a readable file with certificates in PEM form", where: holdsCertificates)
    }

    private static func holdsCertificates(_ path: String) -> Bool {
        // A pipe must not keep the program waiting.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size <= 1 << 26 else {
            return false
        }
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
        var length = 0
        while length < bytes.count {
            let count = bytes.withUnsafeMutableBytes { buffer in
                read(descriptor, buffer.baseAddress! + length, buffer.count - length)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            length += count
        }
        return String(decoding: bytes[..<length], as: UTF8.self).contains(
            /-----BEGIN (X509 |TRUSTED )?CERTIFICATE-----/
        )
    }
}
