//! Membership: only holders of the key get in, only the key's holder makes seeds.

use proptest::prelude::*;
use shoal_protocol::{
    identity::{NodeId, NodeKey},
    membership::{ClusterKey, ClusterKeyError, Handshake, NotKeyHolder, Proof, Role, RoleToken, Side},
};

const SIDES: [Side; 2] = [Side::Initiator, Side::Responder];

fn handshakes() -> impl Strategy<Value = Handshake> {
    any::<[[u8; 32]; 5]>().prop_map(|[initiator, responder, initiator_nonce, responder_nonce, binding]| {
        Handshake {
            initiator: NodeId(initiator),
            responder: NodeId(responder),
            initiator_nonce,
            responder_nonce,
            channel_binding: binding,
        }
    })
}

fn keys() -> impl Strategy<Value = ClusterKey> {
    any::<[u8; 32]>().prop_map(ClusterKey::from_root)
}

fn node(number: u8) -> NodeId {
    NodeKey::from_secret([number; 32]).node_id()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn members_of_a_cluster_accept_each_other(key in keys(), handshake in handshakes()) {
        for (prover, verifier) in [(&key, &key.member_only()), (&key.member_only(), &key)] {
            for side in SIDES {
                prop_assert!(verifier.verify_proof(side, &handshake, &prover.proof(side, &handshake)));
            }
        }
    }

    #[test]
    fn another_clusters_key_is_refused(key in keys(), other in keys(), handshake in handshakes()) {
        prop_assume!(key.to_text() != other.to_text());
        for side in SIDES {
            prop_assert!(!key.verify_proof(side, &handshake, &other.proof(side, &handshake)));
        }
    }

    #[test]
    fn a_proof_reflected_to_its_maker_is_refused(key in keys(), handshake in handshakes()) {
        let proof = key.proof(Side::Initiator, &handshake);
        prop_assert!(!key.verify_proof(Side::Responder, &handshake, &proof));
        // Nor does it help to open a connection the other way and offer the victim its own proof there.
        let swapped = Handshake {
            initiator: handshake.responder,
            responder: handshake.initiator,
            initiator_nonce: handshake.responder_nonce,
            responder_nonce: handshake.initiator_nonce,
            ..handshake
        };
        for side in SIDES {
            prop_assert!(!key.verify_proof(side, &swapped, &proof));
        }
    }

    #[test]
    fn a_proof_of_another_handshake_is_refused(
        key in keys(), first in handshakes(), second in handshakes(), part in 0..5usize,
    ) {
        let mut replayed = first.clone();
        match part {
            0 => replayed.initiator = second.initiator,
            1 => replayed.responder = second.responder,
            2 => replayed.initiator_nonce = second.initiator_nonce,
            3 => replayed.responder_nonce = second.responder_nonce,
            _ => replayed.channel_binding = second.channel_binding,
        }
        prop_assume!(replayed != first);
        for side in SIDES {
            prop_assert!(!key.verify_proof(side, &replayed, &key.proof(side, &first)));
        }
    }

    #[test]
    fn a_proof_with_any_bit_flipped_is_refused(key in keys(), handshake in handshakes(), bit in 0..256usize) {
        let Proof(mut bytes) = key.proof(Side::Responder, &handshake);
        bytes[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(!key.verify_proof(Side::Responder, &handshake, &Proof(bytes)));
    }

    #[test]
    fn both_text_forms_come_back_as_the_same_key(key in keys(), handshake in handshakes()) {
        for key in [key.clone(), key.member_only()] {
            let text = key.to_text();
            prop_assert_eq!(text.lines().count(), 1);
            let read = ClusterKey::parse(&format!(" {text}\r\n")).unwrap();
            prop_assert_eq!(read.to_text(), text);
            let proof = read.proof(Side::Initiator, &handshake);
            prop_assert!(key.verify_proof(Side::Initiator, &handshake, &proof));
            prop_assert_eq!(read.issue_role(&node(1), Role::Seed), key.issue_role(&node(1), Role::Seed));
        }
    }

    #[test]
    fn any_changed_digit_is_noticed(key in keys(), at in any::<prop::sample::Index>(), digit in "[0-9a-f]") {
        for text in [key.to_text(), key.member_only().to_text()] {
            let start = text.find(':').unwrap() + 1;
            let position = start + at.index(text.len() - start);
            let mut changed = text.clone();
            changed.replace_range(position..=position, &digit);
            prop_assume!(changed != text);
            prop_assert_eq!(ClusterKey::parse(&changed).unwrap_err(), ClusterKeyError::Checksum);
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "(shoal-(cluster|member)-key-1:)?.{0,150}") {
        prop_assert!(ClusterKey::parse(&text).is_err());
    }
}

#[test]
fn bad_texts_are_refused_by_name() {
    let text = ClusterKey::from_root([1; 32]).to_text();
    let parse = |text: &str| ClusterKey::parse(text).unwrap_err();
    assert_eq!(parse(""), ClusterKeyError::Prefix);
    assert_eq!(parse(&text.replace("key-1", "key-2")), ClusterKeyError::Prefix);
    assert_eq!(parse(&text[..text.len() - 1]), ClusterKeyError::Length { expected: 72, found: 71 });
    assert_eq!(parse(&format!("{text}0")), ClusterKeyError::Length { expected: 72, found: 73 });
    assert_eq!(parse(&text.replace("01", "0A")), ClusterKeyError::NotHex);
    let (_, digits) = text.split_once(':').unwrap();
    let relabelled = format!("shoal-member-key-1:{digits}{digits}");
    assert_eq!(parse(&relabelled), ClusterKeyError::Length { expected: 136, found: 144 });
}

/// Keys live in files for years, and nodes of two releases share a cluster. Made with Python's `hmac` and `hashlib`.
#[test]
fn a_key_means_the_same_in_every_release() {
    let key = ClusterKey::from_root(core::array::from_fn(|index| index as u8));
    assert_eq!(key.to_text(), FULL_KEY);
    assert_eq!(key.member_only().to_text(), MEMBER_KEY);
    let handshake = Handshake {
        initiator: NodeId([1; 32]),
        responder: NodeId([2; 32]),
        initiator_nonce: [3; 32],
        responder_nonce: [4; 32],
        channel_binding: [5; 32],
    };
    assert_eq!(key.proof(Side::Initiator, &handshake).0, INITIATOR_PROOF);
}

const FULL_KEY: &str =
    "shoal-cluster-key-1:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f19736b54";
const MEMBER_KEY: &str = "shoal-member-key-1:\
    900d9b9d1ab728bafe4acc3c8f6bb1632b5c0a0689838cf459942e6503b0db32\
    3a568064f9da407466a429cee6460a6c029a72c35159cceba6602fe7b6f2a8295cfe1060";
const INITIATOR_PROOF: [u8; 32] = [
    0xc5, 0x04, 0x66, 0x93, 0x70, 0xf3, 0xf5, 0x44, 0x39, 0x73, 0x2a, 0x1f, 0x20, 0x58, 0x04, 0xc3, 0x47,
    0x49, 0x21, 0x1d, 0x29, 0xd2, 0xdf, 0x43, 0xc9, 0xd3, 0x36, 0x15, 0xc2, 0x02, 0xc3, 0x06,
];

#[test]
fn a_role_is_for_one_node_and_as_issued() {
    let key = ClusterKey::from_root([1; 32]);
    for role in [Role::Peer, Role::Seed] {
        let token = key.issue_role(&node(1), role).unwrap();
        assert_eq!(key.member_only().verify_role(&node(1), &token), Some(role));
        assert_eq!(key.verify_role(&node(2), &token), None, "another node's token");
        let other_cluster = ClusterKey::from_root([2; 32]);
        assert_eq!(other_cluster.verify_role(&node(1), &token), None, "another cluster's token");
    }
    let peer = key.issue_role(&node(1), Role::Peer).unwrap();
    assert_eq!(key.verify_role(&node(1), &RoleToken { role: Role::Seed, ..peer }), None, "a raised role");
}

#[test]
fn a_member_only_key_issues_no_role() {
    let member = ClusterKey::from_root([1; 32]).member_only();
    assert_eq!(member.issue_role(&node(1), Role::Peer), Err(NotKeyHolder));
    let reread = ClusterKey::parse(&member.to_text()).unwrap();
    assert_eq!(reread.issue_role(&node(1), Role::Seed), Err(NotKeyHolder));
    assert!(NotKeyHolder.to_string().contains("full key"));
}

#[test]
fn debug_output_hides_the_key() {
    let key = ClusterKey::from_root([0xab; 32]);
    assert_eq!(format!("{key:?}"), "ClusterKey(full)");
    assert_eq!(format!("{:?}", key.member_only()), "ClusterKey(member only)");
}
