//! Before each call: does the agent hold what the call needs, and may it do what the call does?

use std::collections::BTreeSet;
use std::sync::Arc;
use std::task::{Context, Poll};

use dbgctl_linux::capability::CapabilitySet;
use dbgctl_proto::{Effect, Needs, needs_of};
use futures_util::future::{Either, Ready, ready};
use http::{Request, Response};
use tonic::Status;
use tonic::body::Body;
use tower_layer::Layer;
use tower_service::Service;

use crate::lifetime::Lifetime;

/// What this agent may do. Fixed at its start.
#[derive(Debug, Clone)]
pub struct Grant {
    /// Capabilities in force.
    pub capabilities: CapabilitySet,
    /// Effects that the one who started the agent allowed.
    pub effects: BTreeSet<Effect>,
}

/// The capabilities that a call declares and this agent does not hold. Travels with each request.
#[derive(Debug, Clone, Default)]
pub struct Lacking(pub Vec<&'static str>);

impl Grant {
    /// What a call with these needs has to do without.
    fn lacking(&self, needs: &Needs) -> Lacking {
        let names = needs.capabilities.iter().map(|capability| capability.name);
        Lacking(names.filter(|name| !self.capabilities.holds(name)).collect())
    }

    /// Whether a call with these needs may pass; if not, why.
    fn check(&self, needs: &Needs) -> Result<(), String> {
        if !self.effects.contains(&needs.effect) {
            return Err(format!("this agent was started without leave for what {}", needs.effect));
        }
        let missing = needs
            .capabilities
            .iter()
            .find(|capability| !capability.optional && !self.capabilities.holds(capability.name));
        match missing {
            Some(missing) => {
                Err(format!("this agent does not hold {}, needed {}", missing.name, missing.reason))
            }
            None => Ok(()),
        }
    }
}

/// Puts the guard before a service.
#[derive(Debug, Clone)]
pub struct GuardLayer {
    /// What may pass.
    pub grant: Arc<Grant>,
    /// Told of each request.
    pub lifetime: Arc<Lifetime>,
}

impl<S> Layer<S> for GuardLayer {
    type Service = Guard<S>;

    fn layer(&self, inner: S) -> Guard<S> {
        Guard { inner, rules: self.clone() }
    }
}

/// A service behind the guard.
#[derive(Debug, Clone)]
pub struct Guard<S> {
    inner: S,
    rules: GuardLayer,
}

impl<S> Service<Request<Body>> for Guard<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Either<S::Future, Ready<Result<Response<Body>, S::Error>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        self.rules.lifetime.touch();
        let verdict = match needs_of(request.uri().path()) {
            // gRPC's own litmus for this code: a retry is pointless until the system's state is fixed.
            Some(needs) => {
                request.extensions_mut().insert(self.rules.grant.lacking(needs));
                self.rules.grant.check(needs).map_err(Status::failed_precondition)
            }
            // What the contract does not know is not left to the router, which might read the path differently.
            None => Err(Status::unimplemented("the contract has no such call")),
        };
        match verdict {
            Ok(()) => Either::Left(self.inner.call(request)),
            Err(refusal) => Either::Right(ready(Ok(refusal.into_http()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(capabilities: &str, effects: &[Effect]) -> Grant {
        Grant { capabilities: capabilities.parse().unwrap(), effects: effects.iter().copied().collect() }
    }

    fn needs(path: &str) -> &'static Needs {
        needs_of(path).unwrap()
    }

    #[test]
    fn a_required_capability_that_is_not_held_is_named_with_its_reason() {
        let refusal =
            grant("", &[Effect::Observes]).check(needs("/dbgctl.v1.MemoryService/ListMemory")).unwrap_err();
        assert!(refusal.contains("CAP_SYS_PTRACE, needed to read smaps_rollup"), "{refusal}");
    }

    #[test]
    fn an_optional_capability_may_be_missing() {
        let processes = needs("/dbgctl.v1.ProcessService/ListProcesses");
        assert!(grant("", &[Effect::Observes]).check(processes).is_ok());
    }

    #[test]
    fn packets_are_captured_only_with_leave_and_capability() {
        let capture = needs("/dbgctl.v1.CaptureService/CapturePackets");
        let refusal = grant("CAP_NET_RAW", &[Effect::Observes, Effect::SendsTraffic]).check(capture);
        assert!(refusal.unwrap_err().contains("captures"));
        let refusal = grant("CAP_SYS_PTRACE", &[Effect::Captures]).check(capture);
        assert!(refusal.unwrap_err().contains("CAP_NET_RAW, needed to receive"));
        assert!(grant("CAP_NET_RAW", &[Effect::Captures]).check(capture).is_ok());
    }

    #[test]
    fn traffic_is_refused_where_only_observing_was_allowed() {
        let connect = needs("/dbgctl.v1.ConnectService/Connect");
        let refusal = grant("CAP_SYS_PTRACE", &[Effect::Observes]).check(connect).unwrap_err();
        assert!(refusal.contains("sends-traffic"), "{refusal}");
        assert!(grant("", &[Effect::SendsTraffic]).check(connect).is_ok());
    }
}
