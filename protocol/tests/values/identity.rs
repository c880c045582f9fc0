//! Node keys and signatures.

use proptest::prelude::*;
use shoal_protocol::identity::{NodeId, NodeKey, Signature};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn only_the_signer_and_the_signed_verify(
        secret in any::<[u8; 32]>(), message in prop::collection::vec(any::<u8>(), 0..100), bit in 0..512usize,
    ) {
        let key = NodeKey::from_secret(secret);
        prop_assert_eq!(NodeKey::from_secret(key.secret()).node_id(), key.node_id());
        let signature = key.sign(&message);
        prop_assert!(key.node_id().verify(&message, &signature));

        let mut changed = signature;
        changed.0[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(!key.node_id().verify(&message, &changed));
        prop_assert!(!key.node_id().verify(&[&message[..], b"!"].concat(), &signature));
        prop_assert!(!NodeKey::from_secret([1; 32]).node_id().verify(&message, &signature) || secret == [1; 32]);
    }

    #[test]
    fn any_bytes_as_node_and_signature_are_refused(node in any::<[u8; 32]>(), signature in any::<[[u8; 32]; 2]>()) {
        let [first, second] = signature;
        let signature = Signature(core::array::from_fn(|index| if index < 32 { first[index] } else { second[index - 32] }));
        prop_assert!(!NodeId(node).verify(b"message", &signature));
    }
}

/// Under a key of small order one signature fits every message; such a name proves nothing.
#[test]
fn a_weak_key_never_verifies() {
    let identity_point: [u8; 32] = core::array::from_fn(|index| u8::from(index == 0));
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&identity_point);
    assert!(!NodeId(identity_point).verify(b"anything", &Signature(signature)));
}

/// RFC 8032, section 7.1, test 2.
#[test]
fn the_published_vector_holds() {
    let secret = [
        0x4c, 0xcd, 0x08, 0x9b, 0x28, 0xff, 0x96, 0xda, 0x9d, 0xb6, 0xc3, 0x46, 0xec, 0x11, 0x4e, 0x0f, 0x5b,
        0x8a, 0x31, 0x9f, 0x35, 0xab, 0xa6, 0x24, 0xda, 0x8c, 0xf6, 0xed, 0x4f, 0xb8, 0xa6, 0xfb,
    ];
    let key = NodeKey::from_secret(secret);
    assert_eq!(key.node_id().to_string(), "3d4017c3e843895a");
    assert_eq!(key.sign(&[0x72]).0[..4], [0x92, 0xa0, 0x09, 0xa9]);
}

#[test]
fn debug_output_names_the_node_and_hides_the_secret() {
    let key = NodeKey::from_secret([7; 32]);
    assert_eq!(format!("{key:?}"), format!("NodeKey({:?})", key.node_id()));
    assert_eq!(format!("{:?}", key.sign(b"")), "Signature(…)");
}
