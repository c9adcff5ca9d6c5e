// Entry of the page that a server shows.

import { startPage } from "./app.js";
import { ServerRecognizer } from "./server_recognizer.js";

startPage(new ServerRecognizer());
