//! The neighbours of one blob.

use alloc::vec::Vec;

use super::session::Session;
use crate::identity::NodeId;

/// Sessions in the order of their nodes: dozens, which change rarely and are gone through at every message. So they
/// lie side by side, and apart from what they are found by.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    nodes: Vec<NodeId>,
    sessions: Vec<Session>,
}

impl Sessions {
    pub(super) fn get(&self, node: &NodeId) -> Option<&Session> {
        self.place(node).ok().map(|place| &self.sessions[place])
    }

    pub(super) fn get_mut(&mut self, node: &NodeId) -> Option<&mut Session> {
        self.place(node).ok().map(|place| &mut self.sessions[place])
    }

    pub(super) fn contains(&self, node: &NodeId) -> bool {
        self.place(node).is_ok()
    }

    pub(super) fn get_or_begin(&mut self, node: NodeId) -> &mut Session {
        let place = self.place(&node).unwrap_or_else(|place| {
            self.nodes.insert(place, node);
            self.sessions.insert(place, Session::default());
            place
        });
        &mut self.sessions[place]
    }

    pub(super) fn remove(&mut self, node: &NodeId) -> Option<Session> {
        let place = self.place(node).ok()?;
        self.nodes.remove(place);
        Some(self.sessions.remove(place))
    }

    pub(super) const fn len(&self) -> usize {
        self.sessions.len()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    pub(super) fn nodes(&self) -> &[NodeId] {
        &self.nodes
    }

    pub(super) fn values(&self) -> core::slice::Iter<'_, Session> {
        self.sessions.iter()
    }

    pub(super) fn values_mut(&mut self) -> core::slice::IterMut<'_, Session> {
        self.sessions.iter_mut()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&NodeId, &Session)> {
        self.nodes.iter().zip(&self.sessions)
    }

    fn place(&self, node: &NodeId) -> Result<usize, usize> {
        self.nodes.binary_search(node)
    }
}
