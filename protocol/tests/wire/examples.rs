//! The examples of the specification, byte for byte. When one changes, so does the version of the protocol.

use shoal_protocol::{
    digest::Digest,
    listing::Listing,
    reference::{ImageName, Reference},
    wire::{
        Channel, CloseReason, LaneHeader, Message, PlatformName, PreheatOrder, Query, Wire, encode_frame,
    },
};

use crate::encoded;

#[test]
fn hello() {
    let message = Message::Hello {
        channel: Channel(5),
        digest: Digest::Sha256([0xab; 32]),
        known_links: 3,
        source: Some(ImageName {
            registry: "docker.io".parse().unwrap(),
            repository: "library/nginx".parse().unwrap(),
        }),
    };
    let mut expected = vec![1, 0, 0, 0, 5, 1];
    expected.extend([0xab; 32]);
    expected.extend([0, 0, 0, 3, 1]);
    expected.extend(b"\0\0\0\x09docker.io\0\0\0\x0dlibrary/nginx");
    assert_eq!(encoded(&message), expected);
    assert_eq!(Message::decode(&expected), Ok(message));
}

#[test]
fn offer_in_its_frame() {
    let message = Message::Offer { channel: Channel(5), piece: Some(258), have: vec![9] };
    let mut frame = Vec::new();
    encode_frame(&message, &mut frame);
    assert_eq!(frame, [0, 0, 0, 18, 5, 0, 0, 0, 5, 1, 0, 0, 1, 2, 0, 0, 0, 1, 0, 0, 0, 9]);
}

#[test]
fn close_and_query_and_lane_header() {
    let close = Message::Close { channel: Channel(5), reason: CloseReason::Full };
    assert_eq!(encoded(&close), [10, 0, 0, 0, 5, 7]);
    assert_eq!(encoded(&Query::Inventory), [2]);
    let list = Query::List {
        image: ImageName { registry: "docker.io".parse().unwrap(), repository: "a/b".parse().unwrap() },
        listing: Listing::Tags,
        query: "n=5".parse().unwrap(),
    };
    assert_eq!(encoded(&list), b"\x07\0\0\0\x09docker.io\0\0\0\x03a/b\0\0\0\0\x03n=5");
    let preheat = Query::Preheat(PreheatOrder {
        job: 1,
        place: 2,
        cancel: true,
        image: ImageName { registry: "docker.io".parse().unwrap(), repository: "a/b".parse().unwrap() },
        reference: Reference::Tag("v1".parse().unwrap()),
        platforms: vec![PlatformName("all".to_owned())],
    });
    let mut expected = vec![8, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 1];
    expected.extend(b"\0\0\0\x09docker.io\0\0\0\x03a/b\0\0\0\0\x02v1\0\0\0\x01\0\0\0\x03all");
    assert_eq!(encoded(&preheat), expected);
    let header = LaneHeader { channel: Channel(5), piece: 258, len_bytes: 65536 };
    assert_eq!(header.to_bytes(), [0, 0, 0, 5, 0, 0, 1, 2, 0, 1, 0, 0]);
}
