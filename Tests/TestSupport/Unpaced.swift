/// Settings of a worker without a pace. Tests and measurements write hundreds of notes in seconds with one token, which
/// no worker does by itself: all that are not about the pace take these, and closings by `Retry-After` hold for them
/// all the same. Nor do they have a breaker, as they are about what a job does by itself with a peer that fails.
public let unpacedSettings = ["SYNC_NOTION_RATE": "0", "SYNC_KEEP_RATE": "0", "SYNC_BREAKER_FAILURES": "0"]
