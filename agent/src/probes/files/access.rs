//! `ExplainAccess`: whether a user may read, write or execute a file, and what decides it.

use std::collections::HashMap;
use std::sync::Arc;

use dbgctl_linux::access::{self, MountFlags, Rule, Subject, Wanted};
use dbgctl_linux::acl::{self, Entry};
use dbgctl_linux::capability::CapabilitySet;
use dbgctl_linux::file::FileKind;
use dbgctl_linux::procfs::{identity, mountinfo};
use dbgctl_linux::route::{self, End, Step};
use dbgctl_linux::{Found, LastLink, ReadError};
use dbgctl_proto::v1;
use dbgctl_proto::v1::access_service_server::{AccessService, AccessServiceServer};
use tonic::{Request, Response, Status};

use super::{Names, Place, at_once, no_gaps};
use crate::error::{BadRequest, ProbeError};
use crate::gaps::Gaps;
use crate::sources::Sources;
use crate::stream::Terms;

/// Those that have a say.
const OVERRIDING: [&str; 2] = ["CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH"];

/// The service, reading from `sources`.
pub fn service(sources: Arc<Sources>) -> AccessServiceServer<Access> {
    AccessServiceServer::new(Access::new(sources))
}

/// Answers `ExplainAccess`.
#[derive(Debug)]
pub struct Access {
    sources: Arc<Sources>,
}

impl Access {
    /// The probe, reading from `sources`.
    pub fn new(sources: Arc<Sources>) -> Self {
        Self { sources }
    }
}

#[tonic::async_trait]
impl AccessService for Access {
    async fn explain_access(
        &self,
        request: Request<v1::ExplainAccessRequest>,
    ) -> Result<Response<v1::ExplainAccessResponse>, Status> {
        let (terms, gaps) = (Terms::of(&request, 0), no_gaps(&request));
        let sources = Arc::clone(&self.sources);
        let request = request.into_inner();
        at_once(&terms, move || collect(&sources, &request, gaps)).await
    }
}

fn collect(
    sources: &Arc<Sources>,
    request: &v1::ExplainAccessRequest,
    mut gaps: Gaps,
) -> Result<v1::ExplainAccessResponse, ProbeError> {
    let wanted = Wanted { read: request.read, write: request.write, execute: request.execute };
    if wanted == Wanted::default() {
        return Err(BadRequest::new("read", "nothing is asked for: neither read, write nor execute").into());
    }
    let place = Place::of(sources, &request.path, request.pid)?;
    place.reach(LastLink::Follow)?;
    let names = Names::read(sources, place.viewer, &mut gaps);
    let subject = subject(sources, &place, request, &names)?;
    let mounts = mountinfo::read(sources.root(), place.viewer);
    let mounts = mounts.inspect_err(|error| gaps.add_error("mounts", error)).unwrap_or_default();
    if mounts.cut {
        gaps.add("mounts", super::mounts::TOO_MANY);
    }
    let flags = |mount: &mountinfo::Mount| {
        (mount.id, MountFlags { read_only: mount.read_only, no_exec: mount.no_exec })
    };
    let mounts: HashMap<_, _> = mounts.mounts.iter().map(flags).collect();

    let (way, end) = route::follow(&place.root, &place.path, LastLink::Follow, list_of)?;
    let judge = Judge { subject: &subject, mounts: &mounts, names: &names };
    let last = way.len();
    let mut steps = Vec::new();
    let mut allowed = Some(true);
    for (nth, step) in way.into_iter().enumerate() {
        let is_end = nth + 1 == last && matches!(end, End::Found);
        let is_stuck = nth + 1 == last && matches!(end, End::NotADirectory);
        let step = judge.step(step, if is_end { wanted } else { Wanted::SEARCH }, is_stuck, &mut gaps);
        allowed = step.allowed;
        steps.push(step);
        if allowed != Some(true) {
            break;
        }
    }
    if allowed == Some(true)
        && let Some(step) = dead_end(end, &place, &mut gaps)
    {
        allowed = step.allowed;
        steps.push(step);
    }
    let held = OVERRIDING.into_iter().filter(|name| subject.capabilities.holds(name));
    let subject = v1::AccessSubject {
        uid: subject.uid,
        user: names.users.name(subject.uid).map(<[u8]>::to_vec),
        capabilities: held.map(str::to_owned).collect(),
        gids: subject.gids,
    };
    Ok(v1::ExplainAccessResponse { steps, allowed, subject: Some(subject), gaps: gaps.message() })
}

/// For whom it is decided.
fn subject(
    sources: &Sources,
    place: &Place<'_>,
    request: &v1::ExplainAccessRequest,
    names: &Names,
) -> Result<Subject, ProbeError> {
    let process = identity::read_of(sources.root(), place.viewer)?;
    // The kernel asks for the file system's ids, which follow the effective ones.
    let own_uid = process.uids.last().copied();
    let uid = request.uid.or(own_uid).unwrap_or_default();
    let is_process = own_uid == Some(uid);
    let own_gid = process.gids.last().copied().unwrap_or_default();
    let by_name = if is_process { None } else { names.users.group(uid) };
    let gid = request.gid.or(by_name).unwrap_or(own_gid);
    let mut gids = vec![gid];
    let more = match (is_process, names.users.name(uid)) {
        (true, _) => process.groups.as_slice(),
        (false, Some(name)) => names.groups.of_user(name),
        (false, None) => &[],
    };
    gids.extend(more.iter().filter(|&&other| other != gid));
    let capabilities = match uid {
        _ if is_process => process.effective,
        // What a process of root has that is started beside it.
        0 => process.bounding,
        _ => CapabilitySet::EMPTY,
    };
    Ok(Subject { uid, gids, capabilities })
}

type List = Result<Option<Vec<Entry>>, ReadError>;

/// The access control list of what can have one.
fn list_of(found: &Found<'_>) -> List {
    match found.status().kind {
        FileKind::Regular | FileKind::Directory => Ok(found.acl()?.as_deref().and_then(acl::parse)),
        _ => Ok(None),
    }
}

struct Judge<'a> {
    subject: &'a Subject,
    mounts: &'a HashMap<u64, MountFlags>,
    names: &'a Names,
}

impl Judge<'_> {
    fn step(&self, step: Step<List>, wanted: Wanted, is_stuck: bool, gaps: &mut Gaps) -> v1::AccessStep {
        let Step { path, status, link_target, more: list } = step;
        let mut message = v1::AccessStep {
            path,
            status: Some(self.names.status(&status)),
            link_target,
            allowed: Some(true),
            ..v1::AccessStep::default()
        };
        if is_stuck {
            message.allowed = Some(false);
            message.rule = v1::AccessRule::NotADirectory.into();
            return message;
        }
        if message.link_target.is_some() {
            // Whoever finds a link may follow it.
            return message;
        }
        (message.read, message.write, message.execute) = (wanted.read, wanted.write, wanted.execute);
        let list = list.unwrap_or_else(|error| {
            gaps.add_error("access control lists", &error);
            None
        });
        let mount = status.mount_id.and_then(|id| self.mounts.get(&id)).copied().unwrap_or_default();
        let (allowed, rule) = access::decide(&status, list.as_deref(), mount, self.subject, wanted);
        message.allowed = Some(allowed);
        let (rule, acl_id, capability) = rule_message(rule);
        (message.rule, message.acl_id, message.capability) = (rule.into(), acl_id, capability);
        message
    }
}

fn rule_message(rule: Rule) -> (v1::AccessRule, Option<u32>, Option<String>) {
    match rule {
        Rule::Owner => (v1::AccessRule::Owner, None, None),
        Rule::Group => (v1::AccessRule::Group, None, None),
        Rule::Others => (v1::AccessRule::Others, None, None),
        Rule::AclUser(uid) => (v1::AccessRule::AclUser, Some(uid), None),
        Rule::AclGroup(gid) => (v1::AccessRule::AclGroup, Some(gid), None),
        Rule::AclMask => (v1::AccessRule::AclMask, None, None),
        Rule::Capability(name) => (v1::AccessRule::Capability, None, Some(name.to_owned())),
        Rule::ReadOnlyMount => (v1::AccessRule::ReadOnlyMount, None, None),
        Rule::NoExecMount => (v1::AccessRule::NoExecMount, None, None),
        Rule::Immutable => (v1::AccessRule::Immutable, None, None),
        Rule::NoExecuteBit => (v1::AccessRule::NoExecuteBit, None, None),
    }
}

/// The last step of a way that does not lead to a file.
fn dead_end(end: End, place: &Place<'_>, gaps: &mut Gaps) -> Option<v1::AccessStep> {
    let (path, allowed, rule) = match end {
        End::Found | End::NotADirectory => return None,
        End::Missing(path) => (path, Some(false), v1::AccessRule::Missing),
        End::Loop => (place.bytes().to_vec(), Some(false), v1::AccessRule::LinkLoop),
        End::Failed(error) => {
            gaps.add_error("the rest of the way", &error);
            (place.bytes().to_vec(), None, v1::AccessRule::Unknown)
        }
    };
    Some(v1::AccessStep { path, allowed, rule: rule.into(), ..v1::AccessStep::default() })
}
