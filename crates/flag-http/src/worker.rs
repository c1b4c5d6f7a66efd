//! What one thread of the server keeps for itself. Whatever several threads write at every request wanders from core to core,
//! which takes longer than an evaluation.

use std::rc::Rc;
use std::time::Duration;

use actix_web::rt::time::sleep;
use actix_web::{HttpRequest, rt, web};
use flag_engine::{Live, LocalSnapshot};

use crate::node::Node;
use crate::problem::{Code, Problem};
use crate::route_meters::RouteMeters;

/// How often a thread that has nothing to do looks whether what it holds on to is still live.
const LOOK: Duration = Duration::from_secs(1);

/// One thread of the server.
pub(crate) struct Worker {
    node: web::Data<Node>,
    snapshot: LocalSnapshot,
    pub(crate) meters: RouteMeters,
}

impl Worker {
    /// What the current thread, which runs the framework, keeps from now on.
    pub(crate) fn start(node: &web::Data<Node>) -> Rc<Self> {
        let (node, snapshot) = (node.clone(), node.engine.local());
        let worker = Rc::new(Self { node, snapshot, meters: RouteMeters::default() });
        let looking = Rc::downgrade(&worker);
        rt::spawn(async move {
            while let Some(worker) = looking.upgrade() {
                worker.live();
                drop(worker);
                sleep(LOOK).await;
            }
        });
        worker
    }

    /// The thread that has `request` in hand.
    pub(crate) fn of(request: &HttpRequest) -> Result<&Rc<Self>, Problem> {
        let worker = request.app_data::<Rc<Self>>();
        worker.ok_or_else(|| Problem::new(Code::Internal, "the node is not wired"))
    }

    /// The node that this is a thread of.
    pub(crate) fn node(&self) -> &Node {
        &self.node
    }

    /// The live snapshot; nothing before the first one arrived.
    pub(crate) fn live(&self) -> Option<Rc<Live>> {
        self.snapshot.live()
    }
}
