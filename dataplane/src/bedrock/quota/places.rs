//! Which quotas a model counts against at an endpoint.

use super::bucket::Bucket;
use ccag_domain::routing::Candidate;
use ccag_domain::{Endpoint, EndpointId, Lane, Model, ModelName, Offers, ServiceTier, quota};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, Weak};

/// So many quotas a request counts against at most: tokens and requests, each in two scopes.
pub(super) const MAX_BUCKETS: usize = 4;

/// The quotas of one Bedrock model at one endpoint, and what they were made of.
#[derive(Debug)]
pub(super) struct Place {
    offers: Arc<Offers>,
    model: ModelName,
    pub(super) buckets: Vec<Arc<Bucket>>,
}

/// One endpoint's.
#[derive(Debug, Default)]
struct Site {
    /// By the id of the Bedrock model.
    places: HashMap<String, Arc<Place>>,
}

/// Those of all endpoints. A request looks up what was made before; where the configuration has changed it is made anew, and
/// what was counted stays.
#[derive(Debug, Default)]
pub(super) struct Places {
    sites: RwLock<HashMap<EndpointId, Site>>,
    /// By digest: endpoints of one account share them.
    buckets: RwLock<HashMap<u64, Weak<Bucket>>>,
}

impl Places {
    /// The quotas that a request for a model counts against at a candidate through a lane; `None` if nothing is known of any.
    pub(super) fn of(&self, candidate: &Candidate, lane: Lane, model: &Model) -> Option<Arc<Place>> {
        let endpoint = &candidate.endpoint;
        if endpoint.offers.quotas.is_empty() || !counts(endpoint, lane) {
            return None;
        }
        let sites = self.sites.read().unwrap_or_else(PoisonError::into_inner);
        let known = sites.get(&endpoint.id);
        let known = known.and_then(|site| site.places.get(candidate.model.id.as_str()));
        let place = match known {
            Some(place) if place.is_of(endpoint, model) => Arc::clone(place),
            _ => {
                drop(sites);
                self.make(candidate, model)
            }
        };
        (!place.buckets.is_empty()).then_some(place)
    }

    fn make(&self, candidate: &Candidate, model: &Model) -> Arc<Place> {
        let endpoint = &candidate.endpoint;
        let its = endpoint
            .offers
            .quotas
            .iter()
            .filter(|one| one.is_of_a_minute() && one.scope.counts(candidate.model.geography))
            .filter(|one| one.is_of(model))
            .take(MAX_BUCKETS);
        let mut known = self.buckets.write().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, bucket| bucket.strong_count() > 0);
        let buckets = its
            .map(|quota| {
                let digest = quota::account(endpoint, &quota.code);
                if let Some(bucket) = known.get(&digest).and_then(Weak::upgrade) {
                    bucket.set_limit(quota.limit);
                    return bucket;
                }
                let bucket = Arc::new(Bucket::new(digest, quota));
                known.insert(digest, Arc::downgrade(&bucket));
                bucket
            })
            .collect();
        drop(known);
        let place = Arc::new(Place {
            offers: Arc::clone(&endpoint.offers),
            model: model.name.clone(),
            buckets,
        });
        let mut sites = self.sites.write().unwrap_or_else(PoisonError::into_inner);
        let site = sites.entry(endpoint.id.clone()).or_default();
        site.places.insert(candidate.model.id.clone(), Arc::clone(&place));
        place
    }

    /// Forgets endpoints that are no more.
    pub(super) fn keep(&self, is_known: impl Fn(&EndpointId) -> bool) {
        let mut sites = self.sites.write().unwrap_or_else(PoisonError::into_inner);
        sites.retain(|id, _| is_known(id));
    }

    /// Every quota that something was asked of, once.
    pub(super) fn buckets(&self) -> Vec<Arc<Bucket>> {
        let known = self.buckets.read().unwrap_or_else(PoisonError::into_inner);
        known.values().filter_map(Weak::upgrade).collect()
    }

    /// Every quota by endpoint and model, as often as it counts for one.
    pub(super) fn each(&self) -> Vec<(EndpointId, Arc<Place>)> {
        let sites = self.sites.read().unwrap_or_else(PoisonError::into_inner);
        let of_site = |(id, site): (&EndpointId, &Site)| {
            let places = site.places.values().cloned();
            places.map(|place| (id.clone(), place)).collect::<Vec<_>>()
        };
        sites.iter().flat_map(of_site).collect()
    }
}

impl Place {
    fn is_of(&self, endpoint: &Endpoint, model: &Model) -> bool {
        Arc::ptr_eq(&self.offers, &endpoint.offers) && self.model == model.name
    }

    pub(super) fn model(&self) -> &ModelName {
        &self.model
    }
}

/// Whether what an endpoint is asked through a lane counts against quotas that are known: bedrock-mantle has quotas of its own,
/// and so has capacity that is reserved (Amazon Bedrock user guide, "Service tiers").
fn counts(endpoint: &Endpoint, lane: Lane) -> bool {
    lane != Lane::Mantle && endpoint.access.service_tier != Some(ServiceTier::Reserved)
}
