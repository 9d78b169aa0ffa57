use super::*;

fn section(change: impl FnOnce(&mut OtlpSection)) -> OtlpSection {
    let mut section = OtlpSection {
        endpoint: "http://collector:4317".into(),
        protocol: Protocol::Grpc,
        headers: "Authorization=Bearer%20abc, tenant=one".into(),
        timeout_ms: 10_000,
        metrics_interval_ms: 60_000,
        service_name: String::new(),
        resource_attributes: "service.namespace=ai,service.name=theirs".into(),
        sampler: SamplerName::ParentsRatio,
        sampler_arg: "0.25".into(),
        disabled: false,
        callers: false,
        traces: SignalSection::default(),
        metrics: SignalSection::default(),
    };
    change(&mut section);
    section
}

#[test]
fn what_opentelemetrys_variables_say_is_understood() {
    let config = section(|_| {}).check().unwrap();
    let target = config.traces.clone().unwrap();
    assert_eq!(target.headers["authorization"], "Bearer abc");
    assert!(target.headers["authorization"].is_sensitive());
    assert_eq!(
        config.sampler,
        Sampler {
            heeds_parents: true,
            ratio: 0.25
        }
    );
    let name = |config: &OtlpConfig| {
        let resource = config.resource("ccag-dataplane", "i");
        resource.get(&"service.name".into()).unwrap().to_string()
    };
    assert_eq!(name(&config), "theirs");
    let config = section(|s| s.service_name = "named".into()).check().unwrap();
    assert_eq!(name(&config), "named");
    let disabled = section(|s| s.disabled = true).check().unwrap();
    assert!(disabled.traces.is_none() && disabled.metrics.is_none());
}

#[test]
fn what_is_wrong_is_named_and_secrets_are_not_repeated() {
    for (key, wrong) in [
        ("otlp.endpoint", section(|s| s.endpoint = "collector:4317".into())),
        ("otlp.headers", section(|s| s.headers = "hunter2".into())),
        ("otlp.sampler_arg", section(|s| s.sampler_arg = "2".into())),
        ("otlp.timeout_ms", section(|s| s.timeout_ms = 0)),
        (
            "otlp.traces.endpoint",
            section(|s| s.traces.endpoint = "nonsense".into()),
        ),
        (
            "otlp.metrics.headers",
            section(|s| s.metrics.headers = "hunter2".into()),
        ),
        (
            "otlp.metrics.protocol",
            section(|s| s.metrics.protocol = "http/json".into()),
        ),
        ("otlp.traces.timeout_ms", section(|s| s.traces.timeout_ms = 5)),
        (
            "otlp.resource_attributes",
            section(|s| s.resource_attributes = "a".into()),
        ),
    ] {
        let (named, reason) = wrong.check().unwrap_err();
        assert_eq!(named, key);
        assert!(!reason.contains("hunter2"));
    }
    let shown = section(|s| s.endpoint = "https://me:hunter2@collector".into()).dump();
    assert_eq!(shown["sampler"], "parentbased_traceidratio");
    assert_eq!(shown["protocol"], "grpc");
    let shown = shown.to_string();
    assert!(!shown.contains("hunter2") && !shown.contains("abc"), "{shown}");
}

#[test]
fn what_is_said_of_one_kind_of_telemetry_counts_for_it_alone() {
    let config = section(|s| {
        s.protocol = Protocol::Http;
        s.endpoint = "https://collector/base/".into();
        s.traces.endpoint = "http://elsewhere:4318/their/own/path".into();
        s.traces.headers = "api-key=other".into();
        s.metrics.timeout_ms = 500;
    })
    .check()
    .unwrap();
    let (traces, metrics) = (config.traces.unwrap(), config.metrics.unwrap());
    assert_eq!(traces.endpoint.as_str(), "http://elsewhere:4318/their/own/path");
    assert_eq!(metrics.endpoint.as_str(), "https://collector/base/v1/metrics");
    assert_eq!(traces.headers.len(), 1);
    assert_eq!(traces.headers["api-key"], "other");
    assert_eq!(metrics.headers["authorization"], "Bearer abc");
    assert_eq!(
        (traces.timeout, metrics.timeout),
        (Duration::from_secs(10), Duration::from_millis(500))
    );
    let only_metrics = section(|s| {
        s.endpoint = String::new();
        s.metrics.endpoint = "http://collector:4317".into();
        s.metrics.protocol = "grpc".into();
    })
    .check()
    .unwrap();
    assert!(only_metrics.traces.is_none() && only_metrics.registry().is_some());
    assert_eq!(
        only_metrics.metrics.unwrap().endpoint.as_str(),
        "http://collector:4317/"
    );
}
