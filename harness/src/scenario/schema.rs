//! The JSON Schema of a scenario file, for editors (`#:schema ./scenario.schema.json` in taplo).
//!
//! Written from the same description that judges a file. It knows keys, types, words and units; what several values must agree on
//! is judged by `zokio-bench check` alone.

use serde_json::{Map, Value as Json, json};

use super::keys;
use super::metric;
use super::quantity::{BYTE_RATE, DURATION, Kind, RATE, SIZE};
use super::shape::{Choice, DOUBLING, Field, Shape, WORKERS_MAX, axes};

/// The schema: draft 2020-12, unknown keys forbidden.
pub fn json_schema() -> Json {
    let mut schema = object(keys::FILE, true);
    schema.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
    schema.insert("title".into(), json!("zokio-bench scenario file"));
    Json::Object(schema)
}

/// `complete`: what is required must be in this very table.
fn object(fields: &[Field], complete: bool) -> Map<String, Json> {
    let mut properties = Map::new();
    for field in fields {
        let mut schema = value(&field.shape);
        schema.insert("description".into(), json!(field.doc));
        properties.insert(field.name.into(), Json::Object(schema));
    }
    let mut schema = entries(json!({ "type": "object", "properties": properties, "additionalProperties": false }));
    let required: Vec<&str> = fields.iter().filter(|field| field.required && complete).map(|field| field.name).collect();
    if !required.is_empty() {
        schema.insert("required".into(), json!(required));
    }
    if fields.iter().any(|field| field.name == keys::TARGET_KINDS[0]) {
        let kinds: Vec<Json> = keys::TARGET_KINDS.iter().map(|kind| json!({ "required": [kind] })).collect();
        schema.insert("oneOf".into(), json!(kinds));
    }
    if fields.iter().any(|field| field.name == "id") {
        let workloads: Vec<Json> = keys::WORKLOADS.iter().map(|workload| json!({ "required": [workload] })).collect();
        schema.insert("oneOf".into(), json!(workloads));
    }
    schema
}

fn value(shape: &Shape) -> Map<String, Json> {
    entries(match shape {
        Shape::Text => json!({ "type": "string", "minLength": 1 }),
        Shape::Id => id(),
        Shape::OneOf(words) => json!({ "enum": words }),
        Shape::Integer(low, high) => json!({ "type": "integer", "minimum": low, "maximum": high }),
        Shape::Positive => json!({ "type": "number", "exclusiveMinimum": 0 }),
        Shape::MetricValue => {
            let kinds: Vec<Json> = [&DURATION, &SIZE, &RATE, &BYTE_RATE].into_iter().map(quantity).collect();
            json!({ "anyOf": [{ "type": "number", "minimum": 0 }, { "anyOf": kinds }] })
        }
        Shape::Metric => metric_ids(),
        Shape::Metrics => json!({ "type": "array", "minItems": 1, "uniqueItems": true, "items": metric_ids() }),
        Shape::Boolean => json!({ "type": "boolean" }),
        Shape::Duration(..) => quantity(&DURATION),
        Shape::Rate(..) => quantity(&RATE),
        Shape::Size(..) => quantity(&SIZE),
        Shape::Sizes => sizes(),
        Shape::Cpus => {
            let list = json!({ "type": "array", "minItems": 1, "uniqueItems": true, "items": { "type": "integer", "minimum": 0, "maximum": 8191 } });
            json!({ "anyOf": [{ "enum": ["auto", "free"] }, list] })
        }
        Shape::Workers => json!({ "anyOf": [{ "const": DOUBLING }, { "type": "integer", "minimum": 1, "maximum": WORKERS_MAX }] }),
        Shape::Ids => json!({ "type": "array", "minItems": 1, "uniqueItems": true, "items": id() }),
        Shape::Texts => json!({ "type": "array", "items": { "type": "string" } }),
        Shape::Labels => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
        Shape::Scalars => json!({ "type": "object", "additionalProperties": scalar() }),
        Shape::Matrix => matrix(),
        Shape::Point => point(),
        Shape::Table(fields) => return object(fields, true),
        Shape::Inherited(fields) => return object(fields, false),
        // The points to leave out name axes, no fixed keys.
        Shape::Tables([]) => json!({ "type": "array", "minItems": 1, "items": point() }),
        Shape::Tables(fields) => json!({ "type": "array", "minItems": 1, "items": object(fields, true) }),
        Shape::Choice(choice) => self::choice(choice),
    })
}

fn choice(choice: &Choice) -> Json {
    let mut table = object(choice.alternatives, false);
    table.insert("minProperties".into(), json!(1));
    table.insert("maxProperties".into(), json!(1));
    match choice.word {
        Some(word) => json!({ "anyOf": [{ "const": word }, table] }),
        None => Json::Object(table),
    }
}

fn sizes() -> Json {
    let part =
        json!({ "type": "array", "prefixItems": [quantity(&SIZE), { "type": "integer", "minimum": 1 }], "minItems": 2, "maxItems": 2 });
    let range = json!({ "type": "array", "items": quantity(&SIZE), "minItems": 2, "maxItems": 2 });
    let one = |key: &str, schema: Json| {
        let mut properties = Map::new();
        properties.insert(key.to_owned(), schema);
        json!({ "type": "object", "properties": properties, "required": [key], "additionalProperties": false })
    };
    json!({ "anyOf": [quantity(&SIZE), one("range", range), one("split", json!({ "type": "array", "minItems": 1, "items": part }))] })
}

fn matrix() -> Json {
    let mut known = Vec::new();
    axes(keys::SCENARIO, "", &mut known);
    let mut properties = Map::new();
    let mut patterns = Map::new();
    for (path, shape) in known {
        let item = if matches!(shape, Shape::Scalars) { scalar() } else { Json::Object(value(shape)) };
        let axis = json!({ "type": "array", "minItems": 1, "uniqueItems": true, "items": item });
        match path.strip_suffix('*') {
            Some(free) => patterns.insert(format!("^{}.+$", free.replace('.', "\\.")), axis),
            None => properties.insert(path, axis),
        };
    }
    json!({ "type": "object", "minProperties": 1, "properties": properties, "patternProperties": patterns, "additionalProperties": false })
}

fn point() -> Json {
    let value = json!({ "anyOf": [scalar(), { "type": "array", "minItems": 1, "items": scalar() }] });
    json!({ "type": "object", "minProperties": 1, "additionalProperties": value })
}

fn quantity(kind: &Kind) -> Json {
    let units: Vec<&str> = kind.units.iter().map(|(unit, _)| *unit).collect();
    json!({ "type": "string", "pattern": format!("^[0-9][0-9_]*(\\.[0-9_]+)?({})$", units.join("|")) })
}

fn metric_ids() -> Json {
    json!({ "enum": metric::all().into_iter().map(|metric| metric.id).collect::<Vec<_>>() })
}

fn id() -> Json {
    json!({ "type": "string", "pattern": "^[a-z0-9-]{1,64}$" })
}

fn scalar() -> Json {
    json!({ "type": ["string", "number", "boolean"] })
}

fn entries(value: Json) -> Map<String, Json> {
    match value {
        Json::Object(map) => map,
        other => unreachable!("every schema here is an object, not {other}"),
    }
}
