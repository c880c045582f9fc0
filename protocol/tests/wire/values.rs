//! Any value of every type that travels.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use proptest::{collection::vec, option, prelude::*};
use shoal_protocol::{
    bitfield::Bitfield,
    bounds::{MAX_LIFETIME_MS, MAX_PIECE_BYTES, MAX_PIECES, MIN_PIECE_BYTES},
    chain::{Author, ChainUpdate},
    digest::Digest,
    geometry::Geometry,
    identity::{NodeId, Signature},
    listing::{ListQuery, Listing},
    membership::{Role, RoleToken},
    reference::{ImageName, Reference, Tag},
    wire::{
        Announcement, Answer, Change, Channel, ClientLogin, CloseReason, Descriptor, Holding, InventoryList,
        LaneHeader, ListPage, Message, NodeRecord, PlatformName, PreheatOrder, PreheatProgress, PreheatState,
        Query, Refusal, SnapshotEntry,
    },
};

fn bytes64() -> impl Strategy<Value = [u8; 64]> {
    vec(any::<u8>(), 64).prop_map(|bytes| bytes.try_into().unwrap())
}

fn node_id() -> impl Strategy<Value = NodeId> {
    any::<[u8; 32]>().prop_map(NodeId)
}

fn digest() -> impl Strategy<Value = Digest> {
    prop_oneof![any::<[u8; 32]>().prop_map(Digest::Sha256), bytes64().prop_map(Digest::Sha512)]
}

fn image() -> impl Strategy<Value = ImageName> {
    ("[a-z]{1,9}(\\.[a-z]{2,3})?(:[1-9][0-9]{1,3})?", "[a-z0-9]{1,5}(/[a-z0-9]{1,5}){0,2}").prop_map(
        |(registry, repository)| ImageName {
            registry: registry.parse().unwrap(),
            repository: repository.parse().unwrap(),
        },
    )
}

fn tag() -> impl Strategy<Value = Tag> {
    "[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}".prop_map(|tag| tag.parse().unwrap())
}

fn role_token() -> impl Strategy<Value = RoleToken> {
    (any::<bool>(), bytes64()).prop_map(|(is_seed, signature)| RoleToken {
        role: if is_seed { Role::Seed } else { Role::Peer },
        signature: Signature(signature),
    })
}

fn pieces() -> impl Strategy<Value = Vec<u32>> {
    vec(0..MAX_PIECES, 0..20)
}

fn bitfield() -> impl Strategy<Value = Bitfield> {
    (0u32..100, any::<u64>()).prop_map(|(len, bits)| {
        let mut field = Bitfield::empty(len);
        (0..len).filter(|piece| bits >> (piece % 64) & 1 == 1).for_each(|piece| {
            field.set(piece);
        });
        field
    })
}

fn chain_update() -> impl Strategy<Value = ChainUpdate> {
    let geometry = (0..u64::from(MIN_PIECE_BYTES) * 1000)
        .prop_map(|bytes| Geometry::new(bytes, MIN_PIECE_BYTES).unwrap());
    let author = (node_id(), option::of(role_token())).prop_map(|(node, role)| Author { node, role });
    (geometry, author, any::<u32>(), vec(any::<u8>(), 0..200), bytes64()).prop_map(
        |(geometry, author, first_link, links, signature)| ChainUpdate {
            geometry,
            author,
            first_link,
            links,
            signature: Signature(signature),
        },
    )
}

fn close_reason() -> impl Strategy<Value = CloseReason> {
    proptest::sample::select(vec![
        CloseReason::Done,
        CloseReason::NotHere,
        CloseReason::NotFound,
        CloseReason::Denied,
        CloseReason::OriginFailed,
        CloseReason::BadChain,
        CloseReason::Leaving,
        CloseReason::Full,
    ])
}

pub(crate) fn message() -> impl Strategy<Value = Message> {
    let channel = || any::<u32>().prop_map(Channel);
    prop_oneof![
        (channel(), digest(), any::<u32>(), option::of(image())).prop_map(
            |(channel, digest, known_links, source)| Message::Hello { channel, digest, known_links, source }
        ),
        (channel(), chain_update()).prop_map(|(channel, update)| Message::Chain { channel, update }),
        (channel(), bitfield()).prop_map(|(channel, pieces)| Message::Bitfield { channel, pieces }),
        (channel(), pieces()).prop_map(|(channel, pieces)| Message::Have { channel, pieces }),
        (channel(), option::of(0..MAX_PIECES), pieces()).prop_map(|(channel, piece, have)| Message::Offer {
            channel,
            piece,
            have
        }),
        (channel(), pieces()).prop_map(|(channel, pieces)| Message::Want { channel, pieces }),
        (channel(), pieces()).prop_map(|(channel, pieces)| Message::DontHave { channel, pieces }),
        (channel(), pieces()).prop_map(|(channel, pieces)| Message::Busy { channel, pieces }),
        (channel(), pieces()).prop_map(|(channel, pieces)| Message::Cancel { channel, pieces }),
        (channel(), close_reason()).prop_map(|(channel, reason)| Message::Close { channel, reason }),
    ]
}

fn address() -> impl Strategy<Value = SocketAddr> {
    prop_oneof![
        (any::<[u8; 4]>(), any::<u16>()).prop_map(SocketAddr::from),
        (any::<[u8; 16]>(), any::<u16>()).prop_map(SocketAddr::from),
    ]
}

fn record() -> impl Strategy<Value = NodeRecord> {
    let addresses = || vec(address(), 0..4);
    (node_id(), any::<u64>(), option::of(role_token()), "[ -~]{0,20}", addresses(), addresses(), bytes64())
        .prop_map(|(node, incarnation, role, zone, swarm_addresses, lane_addresses, signature)| NodeRecord {
            node,
            incarnation,
            role,
            zone,
            swarm_addresses,
            lane_addresses,
            signature: Signature(signature),
        })
}

fn holding() -> impl Strategy<Value = Holding> {
    proptest::sample::select(vec![Holding::Holds, Holding::Fetching])
}

fn holdings() -> impl Strategy<Value = Vec<(Digest, Holding)>> {
    vec((digest(), holding()), 0..10)
        .prop_map(|list| list.into_iter().collect::<BTreeMap<_, _>>().into_iter().collect())
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    vec((digest(), option::of(holding())), 0..10).prop_map(|list| {
        let changes: BTreeMap<_, _> = list.into_iter().collect();
        changes.into_iter().map(|(digest, holding)| Change { digest, holding }).collect()
    })
}

pub(crate) fn announcement() -> impl Strategy<Value = Announcement> {
    let head = (node_id(), any::<u64>(), any::<u64>(), 0..=MAX_LIFETIME_MS, option::of(record()));
    (head, changes(), any::<u32>(), any::<u64>(), any::<bool>()).prop_map(
        |((node, incarnation, seq, lifetime_ms, record), changes, total, set_hash, leaving)| Announcement {
            node,
            incarnation,
            seq,
            lifetime_ms,
            record,
            changes,
            total,
            set_hash,
            leaving,
        },
    )
}

fn inventory_list() -> impl Strategy<Value = InventoryList> {
    (record(), any::<u64>(), 0..=MAX_LIFETIME_MS, holdings())
        .prop_map(|(record, seq, lifetime_ms, holdings)| InventoryList { record, seq, lifetime_ms, holdings })
}

fn snapshot() -> impl Strategy<Value = Vec<SnapshotEntry>> {
    let entry = (record(), any::<u64>(), any::<u32>(), 0..=MAX_LIFETIME_MS, option::of(holdings())).prop_map(
        |(record, seq, silent_ms, lifetime_ms, holdings)| SnapshotEntry {
            record,
            seq,
            silent_ms,
            lifetime_ms,
            holdings,
        },
    );
    vec(entry, 0..4).prop_map(|mut entries| {
        let mut seen = BTreeSet::new();
        entries.retain(|entry| seen.insert(entry.record.node));
        entries.sort_by_key(|entry| entry.record.node);
        entries
    })
}

pub(crate) fn query() -> impl Strategy<Value = Query> {
    prop_oneof![
        Just(Query::Snapshot),
        Just(Query::Inventory),
        (image(), tag()).prop_map(|(image, tag)| Query::Resolve { image, tag }),
        (image(), digest()).prop_map(|(image, digest)| Query::Manifest { image, digest }),
        (image(), digest()).prop_map(|(image, digest)| Query::Stat { image, digest }),
        (image(), reference(), option::of(login())).prop_map(|(image, wanted, login)| Query::Permission {
            image,
            wanted,
            login
        }),
        (image(), listing(), list_query()).prop_map(|(image, listing, query)| Query::List {
            image,
            listing,
            query
        }),
        preheat_order().prop_map(Query::Preheat),
    ]
}

fn preheat_order() -> impl Strategy<Value = PreheatOrder> {
    let platforms = vec("[a-z0-9/]{0,20}".prop_map(PlatformName), 0..4);
    (any::<u64>(), any::<u32>(), any::<bool>(), image(), reference(), platforms).prop_map(
        |(job, place, cancel, image, reference, platforms)| PreheatOrder {
            job,
            place,
            cancel,
            image,
            reference,
            platforms,
        },
    )
}

fn preheat_progress() -> impl Strategy<Value = PreheatProgress> {
    let state = proptest::sample::select(vec![
        PreheatState::Running,
        PreheatState::Done,
        PreheatState::Failed,
        PreheatState::Cancelled,
    ]);
    let blobs = (any::<u32>(), any::<u32>());
    (state, option::of("[ -~]{0,40}"), option::of(digest()), blobs, any::<u64>(), any::<u64>()).prop_map(
        |(state, reason, digest, (blobs_done, blobs_total), bytes_done, bytes_total)| PreheatProgress {
            state,
            reason,
            digest,
            blobs_done,
            blobs_total,
            bytes_done,
            bytes_total,
        },
    )
}

fn listing() -> impl Strategy<Value = Listing> {
    prop_oneof![Just(Listing::Tags), digest().prop_map(Listing::Referrers)]
}

fn list_query() -> impl Strategy<Value = ListQuery> {
    "[a-mo-z0-9=&/?%]{0,30}".prop_filter_map("a query", |text| text.replace('%', "%2B").parse().ok())
}

fn list_page() -> impl Strategy<Value = ListPage> {
    let parts = (vec(any::<u8>(), 0..100), option::of("[ -~]{0,20}"), option::of(list_query()));
    (parts, option::of(any::<u32>())).prop_map(|((document, filters, next), stale_s)| ListPage {
        document,
        filters,
        next,
        stale_s,
    })
}

fn reference() -> impl Strategy<Value = Reference> {
    prop_oneof![tag().prop_map(Reference::Tag), digest().prop_map(Reference::Digest)]
}

fn login() -> impl Strategy<Value = ClientLogin> {
    (".{0,40}", ".{0,80}").prop_map(|(username, password)| ClientLogin { username, password })
}

fn refusal() -> impl Strategy<Value = Refusal> {
    proptest::sample::select(vec![
        Refusal::NotHere,
        Refusal::NotFound,
        Refusal::Denied,
        Refusal::OriginFailed,
        Refusal::Busy,
        Refusal::Malformed,
    ])
}

pub(crate) fn answer() -> impl Strategy<Value = Answer> {
    let media_type = || "[a-z]{1,9}/[a-z.+-]{1,30}(; charset=utf-8)?";
    let descriptor = (media_type(), digest(), any::<u64>())
        .prop_map(|(media_type, digest, size_bytes)| Descriptor { media_type, digest, size_bytes });
    prop_oneof![
        snapshot().prop_map(Answer::Snapshot),
        inventory_list().prop_map(Answer::Inventory),
        (descriptor, option::of(any::<u32>()))
            .prop_map(|(descriptor, stale_s)| Answer::Resolved { descriptor, stale_s }),
        (media_type(), vec(any::<u8>(), 0..300))
            .prop_map(|(media_type, bytes)| Answer::Manifest { media_type, bytes }),
        any::<u64>().prop_map(|size_bytes| Answer::Stat { size_bytes }),
        Just(Answer::Permitted),
        list_page().prop_map(Answer::Listed),
        preheat_progress().prop_map(Answer::Preheat),
        refusal().prop_map(Answer::Refused),
    ]
}

pub(crate) fn lane_header() -> impl Strategy<Value = LaneHeader> {
    (any::<u32>(), 0..MAX_PIECES, 0..=MAX_PIECE_BYTES).prop_map(|(channel, piece, len_bytes)| LaneHeader {
        channel: Channel(channel),
        piece,
        len_bytes,
    })
}
