import CCurl
import Foundation

/// The functions that curl calls on the loop's thread; their context is the ``Transfer``, which outlives its handle's
/// stay in the multi handle.
enum TransferCallbacks {
    static let header: ccurl_data_function = { data, size, count, context in
        guard let context, let data else { return 0 }
        let line = UnsafeRawBufferPointer(start: data, count: size * count)
        return Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue().receiveHeader(line) ? size * count : 0
    }

    static let write: ccurl_data_function = { data, size, count, context in
        guard let context, let data else { return 0 }
        let bytes = UnsafeRawBufferPointer(start: data, count: size * count)
        return Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue().receiveBody(bytes) ? size * count : 0
    }

    static let read: ccurl_data_function = { data, size, count, context in
        guard let context, let data else { return Int(CURL_READFUNC_ABORT) }
        let room = UnsafeMutableRawBufferPointer(start: data, count: size * count)
        return Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue().sendBody(room)
            ?? Int(CURL_READFUNC_ABORT)
    }

    static let seek: ccurl_seek_function = { context, _, _ in
        guard let context else { return CURL_SEEKFUNC_FAIL }
        // To the start, from which nothing has been taken yet, is no second sending.
        let transfer = Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
        return transfer.bodyOffset == 0 ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL
    }

    static let prerequest: ccurl_prereq_function = { context, _, _, _, _ in
        guard let context else { return CURL_PREREQFUNC_ABORT }
        let allowed = Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue().beginSending()
        return allowed ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT
    }

    static let openPublicSocket: ccurl_socket_function = { context, _, address in
        guard let context, let address else { return CURL_SOCKET_BAD }
        let transfer = Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
        guard transfer.mayConnect(to: address) else { return CURL_SOCKET_BAD }
        let type = address.pointee.socktype | Int32(SOCK_CLOEXEC.rawValue)
        return socket(address.pointee.family, type, address.pointee.protocol)
    }
}
