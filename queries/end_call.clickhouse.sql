-- End the question that carries this name in its log comment.
KILL QUERY WHERE Settings['log_comment'] = {call:String} ASYNC
