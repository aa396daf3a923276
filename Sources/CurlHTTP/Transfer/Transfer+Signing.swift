import CCurl

extension Transfer {
    func sign(_ signature: AWSSignature) throws(EasyHandle.OptionFailure) {
        try handle.set(CURLOPT_AWS_SIGV4, "aws:amz:\(signature.region):\(signature.service)")
        // Not CURLOPT_USERPWD, which would be cut at a colon.
        try handle.set(CURLOPT_USERNAME, signature.accessKeyID)
        try handle.set(CURLOPT_PASSWORD, signature.secretAccessKey)
    }

    /// curl computes the hash that it signs from a body it holds itself, not from one it gets by callback.
    func setSignedBody(_ body: [UInt8]) throws(EasyHandle.OptionFailure) {
        try handle.set(CURLOPT_POST, true)
        try handle.set(CURLOPT_POSTFIELDSIZE_LARGE, offset: body.count)
        // curl copies as many bytes as the size says; an empty body needs an address all the same.
        var bytes = body.isEmpty ? [0] : body
        let code = bytes.withUnsafeMutableBytes { buffer in
            ccurl_setopt_pointer(handle.pointer, CURLOPT_COPYPOSTFIELDS, buffer.baseAddress)
        }
        try handle.check(CURLOPT_COPYPOSTFIELDS, code)
    }
}
