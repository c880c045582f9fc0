//! What is too much, out of order or not a value is refused by name.

use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};
use shoal_protocol::{
    bounds::{
        MAX_ANNOUNCEMENT_BYTES, MAX_CHANGES_LISTED, MAX_CONTROL_FRAME_BYTES, MAX_PASSWORD_BYTES,
        MAX_PIECE_BYTES, MAX_PIECES, MAX_PIECES_LISTED, MAX_QUERY_FRAME_BYTES, MAX_USERNAME_BYTES,
    },
    chain::{Author, ChainUpdate},
    digest::Digest,
    geometry::Geometry,
    identity::{NodeId, Signature},
    membership::{Role, RoleToken},
    reference::{ImageName, Reference},
    wire::{
        Announcement, Answer, CONTROL_PROTOCOL, Change, Channel, ClientLogin, Holding, INVENTORY_TOPIC,
        InventoryList, LANE_PROTOCOL, LaneHeader, Message, NodeRecord, QUERY_PROTOCOL, Query, VERSION, Wire,
        WireError,
    },
};

use crate::{encoded, values};

const CHANNEL: Channel = Channel(7);

fn record() -> NodeRecord {
    NodeRecord {
        node: NodeId([1; 32]),
        incarnation: 1,
        role: Some(RoleToken { role: Role::Seed, signature: Signature([2; 64]) }),
        zone: "z".repeat(64),
        swarm_addresses: vec!["[::1]:1".parse().unwrap(); 8],
        lane_addresses: vec!["[::1]:2".parse().unwrap(); 8],
        signature: Signature([3; 64]),
    }
}

fn announcement(digests: impl IntoIterator<Item = u32>) -> Announcement {
    let change = |number: u32| {
        let mut hash = [0; 64];
        hash[..4].copy_from_slice(&number.to_be_bytes());
        Change { digest: Digest::Sha512(hash), holding: Some(Holding::Fetching) }
    };
    Announcement {
        node: NodeId([1; 32]),
        incarnation: 1,
        seq: 1,
        lifetime_ms: 1,
        record: Some(record()),
        changes: digests.into_iter().map(change).collect(),
        total: 0,
        set_hash: 0,
        leaving: false,
    }
}

#[test]
fn tags_of_newer_nodes_can_be_skipped() {
    assert_eq!(Message::decode(&[11, 0, 0]), Err(WireError::UnknownTag(11)));
    assert_eq!(Message::decode(&[0]), Err(WireError::UnknownTag(0)));
    assert_eq!(Query::decode(&[9]), Err(WireError::UnknownTag(9)));
    assert_eq!(Answer::decode(&[9]), Err(WireError::UnknownTag(9)));
}

#[test]
fn lists_of_pieces_are_bounded() {
    let of = |count| Message::Have { channel: CHANNEL, pieces: vec![0; count] };
    assert!(Message::decode(&encoded(&of(MAX_PIECES_LISTED))).is_ok());
    let too_long =
        WireError::TooLong { what: "pieces listed", max: MAX_PIECES_LISTED, found: MAX_PIECES_LISTED + 1 };
    assert_eq!(Message::decode(&encoded(&of(MAX_PIECES_LISTED + 1))), Err(too_long));
}

#[test]
fn a_false_count_is_refused_before_the_items() {
    let bytes = [4, 0, 0, 0, 7, 0, 0, 4, 0];
    assert_eq!(Message::decode(&bytes), Err(WireError::Truncated(4)));
    let bytes = [4, 0, 0, 0, 7, 255, 255, 255, 255];
    assert!(matches!(Message::decode(&bytes), Err(WireError::TooLong { found: 0xffff_ffff, .. })));
}

#[test]
fn piece_numbers_are_bounded() {
    let past_the_end = [
        Message::Want { channel: CHANNEL, pieces: vec![0, MAX_PIECES] },
        Message::Offer { channel: CHANNEL, piece: Some(MAX_PIECES), have: vec![] },
    ];
    for message in past_the_end {
        assert_eq!(Message::decode(&encoded(&message)), Err(WireError::Invalid("piece number")));
    }
    let header = LaneHeader { channel: CHANNEL, piece: MAX_PIECES, len_bytes: 1 };
    assert_eq!(LaneHeader::from_bytes(&header.to_bytes()), Err(WireError::Invalid("piece number")));
    let header = LaneHeader { channel: CHANNEL, piece: 0, len_bytes: MAX_PIECE_BYTES + 1 };
    assert!(matches!(LaneHeader::from_bytes(&header.to_bytes()), Err(WireError::TooLong { .. })));
}

#[test]
fn sets_have_one_order() {
    for digests in [[2, 1], [1, 1]] {
        let bytes = encoded(&announcement(digests));
        assert_eq!(Announcement::decode(&bytes), Err(WireError::Invalid("changes")));
    }
    let list = InventoryList {
        record: record(),
        seq: 1,
        lifetime_ms: 1,
        holdings: vec![(Digest::Sha512([0; 64]), Holding::Holds), (Digest::Sha256([0; 32]), Holding::Holds)],
    };
    assert_eq!(InventoryList::decode(&encoded(&list)), Err(WireError::Invalid("blobs of a node")));
}

#[test]
fn values_that_do_not_exist_are_refused() {
    let invalid = |bytes: &[u8]| match Message::decode(bytes) {
        Err(WireError::Invalid(what)) => what,
        other => panic!("{other:?}"),
    };
    assert_eq!(invalid(&[10, 0, 0, 0, 7, 8]), "close reason");
    assert_eq!(invalid(&[5, 0, 0, 0, 7, 2]), "flag");
    assert_eq!(invalid(&[1, 0, 0, 0, 7, 3]), "digest algorithm");
    assert_eq!(invalid(&[3, 0, 0, 0, 7, 0, 0, 0, 1, 0xc0]), "bitfield");
    assert_eq!(Answer::decode(&[0, 6]), Err(WireError::Invalid("refusal")));
    assert_eq!(Answer::decode(&[4, 0, 0, 0, 1, b'\n', 0, 0, 0, 0]), Err(WireError::Invalid("media type")));
    let nothing_held = [&[1][..], &[0; 32], &[0]].concat();
    assert_eq!(<(Digest, Holding)>::decode(&nothing_held), Err(WireError::Invalid("holding")));
}

#[test]
fn a_record_keeps_its_bounds() {
    let mut long_zone = record();
    long_zone.zone.push('z');
    assert!(matches!(NodeRecord::decode(&encoded(&long_zone)), Err(WireError::TooLong { what: "zone", .. })));
    let mut many_addresses = record();
    many_addresses.lane_addresses.push("127.0.0.1:1".parse().unwrap());
    assert!(NodeRecord::decode(&encoded(&many_addresses)).is_err());
}

#[test]
fn the_largest_messages_fit_their_frames() {
    let whole_chain = Message::Chain {
        channel: CHANNEL,
        update: ChainUpdate {
            geometry: Geometry::new(128 << 30, MAX_PIECE_BYTES).unwrap(),
            author: Author { node: NodeId([1; 32]), role: record().role },
            first_link: 0,
            links: vec![0; MAX_PIECES as usize * 64],
            signature: Signature([3; 64]),
        },
    };
    let bytes = encoded(&whole_chain);
    assert!(bytes.len() <= MAX_CONTROL_FRAME_BYTES);
    assert_eq!(Message::decode(&bytes).as_ref(), Ok(&whole_chain));

    let full = announcement(0..MAX_CHANGES_LISTED as u32);
    let bytes = encoded(&full);
    assert!(bytes.len() <= MAX_ANNOUNCEMENT_BYTES, "{} bytes", bytes.len());
    assert_eq!(Announcement::decode(&bytes), Ok(full));
    assert!(Announcement::decode(&encoded(&announcement(0..=MAX_CHANGES_LISTED as u32))).is_err());
}

#[test]
fn the_longest_query_fits_its_frame() {
    let query = Query::Permission {
        image: ImageName {
            registry: "r".repeat(255).parse().unwrap(),
            repository: "r".repeat(255).parse().unwrap(),
        },
        wanted: Reference::Tag("t".repeat(128).parse().unwrap()),
        login: Some(ClientLogin {
            username: "u".repeat(MAX_USERNAME_BYTES),
            password: "p".repeat(MAX_PASSWORD_BYTES),
        }),
    };
    assert!(!format!("{query:?}").contains("pp"), "no log shows a password");
    assert!(encoded(&query).len() <= MAX_QUERY_FRAME_BYTES);
    assert_eq!(Query::decode(&encoded(&query)), Ok(query));
}

#[test]
fn names_carry_the_version() {
    for name in [CONTROL_PROTOCOL, LANE_PROTOCOL, QUERY_PROTOCOL, INVENTORY_TOPIC] {
        assert!(name.ends_with(&format!("/{VERSION}")), "{name}");
    }
}

#[test]
fn errors_say_what_to_do() {
    let mut runner = TestRunner::deterministic();
    let message = values::message().new_tree(&mut runner).unwrap().current();
    let mut bytes = encoded(&message);
    bytes[0] = 99;
    let error = Message::decode(&bytes).unwrap_err();
    assert_eq!(error.to_string(), "unknown message tag 99: a newer node may use it, skip the frame");
}
