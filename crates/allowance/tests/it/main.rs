//! Worlds in which data planes crash, connections break and messages are lost.

mod world;
