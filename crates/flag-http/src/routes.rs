//! The table of routes. Each route is one function in a file of its subject.

use actix_web::web;

pub(crate) mod changes;
pub(crate) mod convergence;
pub(crate) mod docs;
pub(crate) mod evaluate;
pub(crate) mod features;
pub(crate) mod health;
pub(crate) mod overrides;
pub(crate) mod pages;
pub(crate) mod settings;
mod write;

use crate::middleware::environment;

/// Mounts every route.
pub(crate) fn mount(config: &mut web::ServiceConfig) {
    config
        .service(web::scope("/features").configure(mount_features))
        .service(
            web::scope("/environments/{environment}")
                .wrap(actix_web::middleware::from_fn(environment::check))
                .service(web::resource("/changes").get(changes::list))
                .service(web::resource("/convergence").get(convergence::read))
                .service(web::scope("/features").configure(mount_features)),
        )
        .service(web::resource("/healthz").get(health::alive))
        .service(web::resource("/readyz").get(health::ready))
        .service(web::resource("/metrics").get(health::metrics))
        .service(web::resource("/openapi.json").get(docs::document))
        .service(web::resource("/docs").get(docs::page))
        .service(web::resource("/docs/page.css").get(docs::style))
        .service(web::resource("/docs/page.js").get(docs::script))
        .service(web::resource("/").get(docs::welcome));
}

fn mount_features(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("").get(features::list).post(features::create))
        // A scope, so that the key is found by one regular expression for all that stands behind it.
        .service(web::scope("/{key}").configure(mount_feature));
}

fn mount_feature(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("").get(features::read).delete(features::delete))
        .service(web::resource("/global").patch(settings::global))
        .service(web::resource("/rollout").patch(settings::rollout))
        .service(web::resource("/evaluate").post(evaluate::evaluate))
        .service(web::resource("/overrides").get(overrides::list))
        .service(web::resource("/user-override").post(overrides::pin_user))
        .service(web::resource("/group-override").post(overrides::pin_group))
        .service(web::resource("/region-override").post(overrides::pin_region))
        .service(web::resource("/user-override/{subject}").delete(overrides::release_user))
        .service(web::resource("/group-override/{subject}").delete(overrides::release_group))
        .service(web::resource("/region-override/{subject}").delete(overrides::release_region));
}
