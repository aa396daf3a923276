import CCurl

/// One of curl's easy handles, with a typed `curl_easy_setopt`. Used by one thread, freed by hand.
struct EasyHandle {
    /// An option that curl did not take.
    struct OptionFailure: Error {
        let option: CURLoption
        let code: CURLcode
    }

    let pointer: UnsafeMutableRawPointer

    init?() {
        guard let pointer = curl_easy_init() else { return nil }
        self.pointer = pointer
    }

    func set(_ option: CURLoption, _ value: Int) throws(OptionFailure) {
        try check(option, ccurl_setopt_long(pointer, option, value))
    }

    func set(_ option: CURLoption, _ value: Bool) throws(OptionFailure) {
        try check(option, ccurl_setopt_long(pointer, option, value ? 1 : 0))
    }

    func set(_ option: CURLoption, milliseconds duration: Duration) throws(OptionFailure) {
        try check(option, ccurl_setopt_long(pointer, option, duration.wholeMilliseconds))
    }

    func set(_ option: CURLoption, offset: Int) throws(OptionFailure) {
        try check(option, ccurl_setopt_offset(pointer, option, curl_off_t(offset)))
    }

    /// curl keeps a copy of the text.
    func set(_ option: CURLoption, _ value: String) throws(OptionFailure) {
        try check(option, ccurl_setopt_string(pointer, option, value))
    }

    func set(_ option: CURLoption, pointer value: UnsafeMutableRawPointer?) throws(OptionFailure) {
        try check(option, ccurl_setopt_pointer(pointer, option, value))
    }

    func set(_ option: CURLoption, list: UnsafeMutablePointer<curl_slist>?) throws(OptionFailure) {
        try check(option, ccurl_setopt_list(pointer, option, list))
    }

    func set(_ option: CURLoption, data function: ccurl_data_function?) throws(OptionFailure) {
        try check(option, ccurl_setopt_data_function(pointer, option, function))
    }

    func check(_ option: CURLoption, _ code: CURLcode) throws(OptionFailure) {
        guard code == CURLE_OK else { throw OptionFailure(option: option, code: code) }
    }

    func number(_ info: CURLINFO) -> Int {
        var value = 0
        // An info that curl cannot tell counts as zero: it only feeds statistics and the choice of a message.
        return ccurl_getinfo_long(pointer, info, &value) == CURLE_OK ? value : 0
    }
}

extension Duration {
    /// Rounded up, at least 1 and no more than curl takes.
    var wholeMilliseconds: Int {
        let (seconds, attoseconds) = components
        guard seconds < Int64(Int32.max) / 1000 else { return Int(Int32.max) }
        return max(Int(seconds) * 1000 + Int((attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000), 1)
    }
}
