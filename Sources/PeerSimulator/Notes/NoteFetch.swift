import Hummingbird
import NIOCore

/// The notes of one answer of the extractor, written out piece by piece.
struct NoteFetch: Sendable {
    let notes: [KeepNote]
    /// Positions in `notes`, in the order of the answer.
    let order: [Int]
    /// Running number of the fetch; image URLs carry it, so they are new every time.
    let number: UInt64
    let username: String

    /// `{"notes":[…],"count":N}` in pieces of about 64 KiB, made as they are asked for and the same every time.
    func chunks(style: PeerSettings.Timestamps, uploadImages: Bool) -> some Sequence<ByteBuffer> {
        sequence(state: 0) { (next: inout Int) -> ByteBuffer? in
            guard next <= order.count else { return nil }
            var buffer = ByteBuffer()
            buffer.reserveCapacity(Self.chunkBytes + 8 * 1024)
            if next == 0 { buffer.writeStaticString("{\"notes\":[") }
            while next < order.count, buffer.readableBytes < Self.chunkBytes {
                if next > 0 { buffer.writeInteger(UInt8(ascii: ",")) }
                write(notes[order[next]], position: next, style: style, uploadImages: uploadImages, to: &buffer)
                next += 1
            }
            if next == order.count, buffer.readableBytes < Self.chunkBytes {
                buffer.writeString("],\"count\":\(order.count)}")
                next += 1
            }
            return buffer
        }
    }

    private static let chunkBytes = 64 * 1024

    /// An untitled note is named by its position in this one answer.
    private func write(
        _ note: KeepNote,
        position: Int,
        style: PeerSettings.Timestamps,
        uploadImages: Bool,
        to buffer: inout ByteBuffer
    ) {
        buffer.writeStaticString("{\"id\":")
        buffer.writeJSON(note.id)
        buffer.writeStaticString(",\"title\":")
        buffer.writeJSON(note.title.isEmpty ? "Note #\(position + 1)" : note.title)
        buffer.writeStaticString(",\"content\":")
        buffer.writeJSON(note.content.text)
        buffer.writeString(
            ",\"created_at\":\"\(note.created.text(style))\",\"modified_at\":\"\(note.modified.text(style))\""
        )
        buffer.writeStaticString(",\"labels\":")
        buffer.writeJSON(note.labels)
        buffer.writeStaticString(",\"images\":[")
        for (index, image) in note.images.enumerated() {
            if index > 0 { buffer.writeInteger(UInt8(ascii: ",")) }
            write(image, uploadImages: uploadImages, to: &buffer)
        }
        buffer.writeStaticString("]}")
    }

    private func write(_ image: KeepImage, uploadImages: Bool, to buffer: inout ByteBuffer) {
        buffer.writeStaticString("{\"id\":")
        buffer.writeJSON(image.id)
        buffer.writeStaticString(",\"filename\":")
        buffer.writeJSON(image.filename)
        buffer.writeStaticString(",\"s3_url\":")
        if image.loss == nil, uploadImages {
            buffer.writeJSON("https://keep-images.s3.example/\(image.id)?X-Amz-Signature=\(number)-\(image.id)")
        } else {
            buffer.writeStaticString("null")
        }
        if let loss = image.loss {
            buffer.writeStaticString(",\"error\":")
            buffer.writeJSON(loss)
        }
        buffer.writeStaticString("}")
    }
}
