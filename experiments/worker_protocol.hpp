// Spelling of the lines between driver and worker. Includes a heavy header: for .cpp files only.
//
// Driver to worker:  {"address": …, "cells": […], …}    a task; the next is sent after `finished`
//                    {"ack": true}                      after each `done` and `failed`: it is in the ledger, go on
// Worker to driver:  {"ready": true}                    once, before the first task
//                    {"begin": i}                       cell i of the task is being run
//                    {"done": i, "result": {…}}         {"failed": i, "reason": "…"}
//                    {"diagnostics": {…}}               {"timed": i, "timing": {…}}
//                    {"finished": true}                 the task is over
//                    {"broken": "…"}                    so is the task, by an exception; the worker leaves
#pragma once

#include <nlohmann/json.hpp>

#include "experiments/worker.hpp"

namespace wcodec {

nlohmann::json to_json(const WorkerTask& task);
WorkerTask task_from_json(const nlohmann::json& json);
// One line with its end; text that is not UTF-8 is replaced, never refused.
std::string to_line(const nlohmann::json& message);

}  // namespace wcodec
